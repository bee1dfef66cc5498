"""App of one process: settings, layers, features, and their lifespan."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version
from typing import Final

import structlog
from fastapi import FastAPI
from fastapi.routing import APIRoute

from core.cache import Cache
from core.changes import ChangeFollower
from core.database.client import Database
from core.database.writes import renewing
from core.feature import Feature, kinds_of, rules_of
from core.http import openapi
from core.http.answers import errors
from core.http.answers.response_cache import ResponseCache
from core.http.request.access import Access
from core.http.request.body import BodyLimit
from core.http.request.checks import Cors, ForgeryProtection, check_draining, check_port
from core.http.request.context import PROBES
from core.http.request.idempotency import Idempotency
from core.http.request.middleware import Check, ClientResolver, RequestMiddleware
from core.http.request.rate_limit import RateLimiter
from core.jobs import Jobs
from core.observability import logging, tracing
from core.platform import Platform
from core.server.lifecycle import drain_on_signal, end_with_parent, gc_frozen
from core.settings import Settings, load_settings
from features.audit.feature import feature as audit
from features.changes.feature import feature as changes
from features.console.feature import feature as console
from features.demo.feature import feature as demo
from features.exports.feature import feature as exports
from features.files.feature import feature as files
from features.health.feature import feature as health
from features.ideas.feature import feature as ideas
from features.imports.feature import feature as imports
from features.items.feature import feature as items
from features.jobs.feature import feature as jobs_view
from features.keys.feature import feature as keys
from features.search.feature import feature as search
from features.specs.feature import feature as specs
from features.stats.feature import feature as stats
from features.systems.feature import feature as systems
from features.webhooks.feature import feature as webhooks

FEATURES: Final[tuple[Feature, ...]] = (
    items,
    systems,
    ideas,
    files,
    stats,
    audit,
    changes,
    webhooks,
    jobs_view,
    keys,
    imports,
    exports,
    search,
    specs,
    demo,
    console,
    health,
)

log = structlog.get_logger("handover.app")

_DESCRIPTION: Final = """\
The idea bank and the documentation registry of two older services behind one door, paths and shapes kept.

Every error has one shape (`ErrorBody`), or RFC 9457 with `Accept: application/problem+json`.
Lists take `limit`, `offset` and `cursor`; reads carry an `ETag` and answer `If-None-Match` with 304.
"""


def create_app(settings: Settings | None = None, features: Sequence[Feature] = FEATURES) -> FastAPI:
    """App of one process. Without `settings` they are read from the environment. Raises SettingsError."""
    settings = settings or load_settings()
    logging.configure(settings)
    app = FastAPI(
        title="Handover",
        version=version("handover"),
        description=_DESCRIPTION,
        openapi_tags=_tags(features),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Requests are counted and logged by our own layers.
        telemetry={
            "tracing": tracing.is_configured(),
            "auto_configure": True,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "exclude": lambda scope: scope["path"] in PROBES,
        },
        lifespan=_lifespan,
    )
    app.state.settings = settings
    limit = settings.rate_limit_max
    app.state.limiter = RateLimiter(limit, settings.rate_limit_window_s) if limit else None
    app.state.features = tuple(features)
    # Routes are tried in turn: those that are asked most come first. An included router would try each of its
    # own twice, which takes a third of the time that it takes to find that there is no such route.
    for router in [feature.router for feature in features if feature.router]:
        app.router.routes.extend(router.routes)
    app.state.admin_paths = _first_parts([feature for feature in features if feature.admin])
    errors.install(app)
    openapi.install(app)
    _install_layers(app, settings)
    return app


def _install_layers(app: FastAPI, settings: Settings) -> None:
    """Checks come before `ResponseCache`, which answers cached requests; layers for requests that reach a
    route come after it.
    """
    checks: list[Check] = []
    if settings.cors_origins:
        checks.append(Cors(settings.cors_origins).check)
    if settings.admin_port is not None:
        checks.append(partial(check_port, settings.admin_port))
    if settings.auth == "off" or settings.allowed_hosts:
        checks.append(ForgeryProtection(settings).check)
    checks.append(check_draining)
    if app.state.limiter is not None:
        checks.append(app.state.limiter.check)
    if settings.auth == "keys":
        [authenticate] = [each.authenticate for each in app.state.features if each.authenticate]
        own = _first_parts([each for each in app.state.features if each.own_access])
        access = Access(authenticate=authenticate, admin_paths=app.state.admin_paths, own_paths=own)
        checks.append(access.check)
    layers = (
        Idempotency,
        partial(BodyLimit, limit=settings.max_body_bytes),
        partial(ResponseCache, minimum_size=settings.gzip_min_bytes),
    )
    app.add_middleware(
        RequestMiddleware,
        clients=ClientResolver(settings.trusted_proxies),
        checks=checks,
        layers=layers,
        minimum_size=settings.gzip_min_bytes,
    )


def _tags(features: Sequence[Feature]) -> list[dict[str, object]]:
    return [
        {"name": feature.router.tags[0], "description": feature.description}
        for feature in features
        if feature.router and feature.router.include_in_schema
    ]


def _first_parts(features: Sequence[Feature]) -> tuple[str, ...]:
    """Path prefixes of these features, each up to the first parameter."""
    routes = [route for feature in features if feature.router for route in feature.router.routes]
    return tuple(
        {route.path.partition("{")[0].rstrip("/") for route in routes if isinstance(route, APIRoute)}
    )


@asynccontextmanager
async def _begun(features: Sequence[Feature], platform: Platform) -> AsyncIterator[None]:
    begun = {feature.name: feature.on_start(platform) for feature in features if feature.on_start}
    tasks = [asyncio.create_task(_logged(name, beginning)) for name, beginning in begun.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _logged(feature: str, beginning: Awaitable[None]) -> None:
    try:
        await beginning
    except Exception:  # the service starts without it
        log.exception("app.start_failed", feature=feature)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Lifespan: start in order, stop in reverse: jobs give back leases while cache and database answer."""
    settings: Settings = app.state.settings
    features: tuple[Feature, ...] = app.state.features
    async with AsyncExitStack() as stack:
        stack.enter_context(end_with_parent())
        cache = Cache(settings)
        await cache.start()
        db = Database.from_settings(settings, origin=cache.versions.origin)
        stack.push_async_callback(db.disconnect)
        stack.push_async_callback(cache.close)
        await db.connect()
        tell = renewing(rules_of(features), cache.invalidate)
        db.tell_writes_to(tell, cache.doubt)
        follower = ChangeFollower(db, cache.versions, tell, settings)
        cache.follow(follower)
        stack.push_async_callback(follower.close)
        await follower.start()
        if app.state.limiter is not None:
            stack.push_async_callback(app.state.limiter.close)
        drained = asyncio.Event()
        jobs = Jobs(db, cache, settings, kinds_of(features), stopping=drained, openapi=app.openapi)
        await jobs.start()
        stack.push_async_callback(jobs.stop)
        platform = Platform(settings, db, cache, jobs, app.openapi, drained)
        app.state.platform = platform
        stack.enter_context(drain_on_signal(platform))
        stack.callback(drained.set)
        log.info("app.started", features=[feature.name for feature in features])
        await stack.enter_async_context(_begun(features, platform))
        stack.enter_context(gc_frozen())
        yield
        log.info("app.stopping")
