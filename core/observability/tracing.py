"""Tracing by OpenTelemetry, off unless the standard variables name an endpoint to export to.

The framework makes the exporter and a span for each request; the engine, which gets the trace context with
each call, makes one for the call, with Prisma's own below it; a job has a trace of its own, linked to the
request that asked for it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import propagate, trace


def is_configured() -> bool:
    """True if traces are exported (OpenTelemetry Environment Variable Specification)."""
    endpoint = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or os.environ.get(
        "OTEL_EXPORTER_OTLP_ENDPOINT"
    )
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return bool(endpoint) and not disabled and os.environ.get("OTEL_TRACES_EXPORTER") != "none"


def trace_context() -> str | None:
    """Trace context of the current span as a `traceparent` (W3C Trace Context); None without one."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent")


def describe_request(method: str, request_id: str, route: object) -> None:
    """Give the request's span its id in logs and audit entries, and the route of a response from the cache,
    which the framework does not see.
    """
    span = trace.get_current_span()
    span.set_attribute("handover.request_id", request_id)
    if (path := getattr(route, "path_format", None)) is not None:
        span.update_name(f"{method} {path}")
        span.set_attribute("http.route", path)


@contextmanager
def linked_span(name: str, traceparent: str | None, **attributes: str) -> Iterator[None]:
    """Span that begins a trace, with a link to the span that caused it."""
    cause = trace.get_current_span(propagate.extract({"traceparent": traceparent or ""})).get_span_context()
    links = [trace.Link(cause)] if cause.is_valid else []
    with trace.get_tracer("handover").start_as_current_span(name, links=links, attributes=attributes):
        yield
