"""Log events: structlog through the standard library, readable in a terminal and JSON otherwise.

Code logs dotted events with fields: `structlog.get_logger().info("job.succeeded", kind=..., rows=...)`.
An event is rendered once, by structlog, and handed to the standard library as finished text; records of
other libraries (uvicorn, asyncio) run through the same processors in the handler's formatter.
"""

import asyncio
import atexit
import json
import logging
import os
import re
import sys
from collections import deque
from collections.abc import Callable, MutableMapping, Sequence
from datetime import datetime
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote

import orjson
import structlog
from structlog.typing import Processor, WrappedLogger

from core.settings import Settings

T = TypeVar("T")

EventDict = MutableMapping[str, Any]

LINE: Final = 100
"""Columns of a terminal in which a request is one line, and what informs is one."""
LONGEST_ID: Final = 36
"""Columns of them that the id of its request takes at most; a UUID fits."""
SHORTEST_REASON: Final = 12
"""Columns from which on it is of use to say why a request was refused."""
_UUID: Final = re.compile(r"([0-9a-f]{8})(?:-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{24})")

_PRE_CHAIN: Final[list[Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
# Loggers are cached on first use and keep this very list: configure() changes it in place.
_processors: Final[list[Processor]] = []


DELAY_S: Final = 0.01
_flushes: Final[list[Callable[[], None]]] = []


def flush() -> None:
    """Do all deferred work now. Any thread may call it."""
    for each in _flushes:
        each()


atexit.register(flush)


class Deferred(Generic[T]):
    """Queue of work that comes with every request and is done for many together, 10 ms later at most: earlier
    where it would be missed, before other events are written, before metrics are read, when the process ends.
    `carry_out` gets the work added since its last run.
    """

    def __init__(self, carry_out: Callable[[Sequence[T]], None]) -> None:
        self._carry_out = carry_out
        self._waiting: deque[T] = deque()
        self._due_on: asyncio.AbstractEventLoop | None = None
        _flushes.append(self.flush)

    def add(self, work: T) -> None:
        """Defer work. Call it from an event loop."""
        self._waiting.append(work)
        loop = asyncio.get_running_loop()
        if self._due_on is not loop:  # nothing is due yet, or it was on a loop that has ended since
            self._due_on = loop
            loop.call_later(DELAY_S, self.flush)

    def flush(self) -> None:
        self._due_on = None
        waiting = []
        try:
            while True:  # one by one: whichever thread takes a piece does it, and none is lost
                waiting.append(self._waiting.popleft())
        except IndexError:
            if waiting:
                self._carry_out(waiting)


class _Rendered(str):
    """Text that structlog has rendered: the handler writes it as it is."""

    __slots__ = ()


def _finishing(renderer: Processor) -> Processor:
    return lambda logger, name, event: _Rendered(renderer(logger, name, event))


class _Handler(logging.StreamHandler[Any]):
    """Handler of our own class, so that configuring again replaces it and leaves others (pytest's) alone.

    The stream is looked up for each record: a test that captures stderr sees the events.
    """

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def format(self, record: logging.LogRecord) -> str:
        return record.msg if isinstance(record.msg, _Rendered) else super().format(record)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        flush()  # so that the log keeps the order of events
        super().emit(record)


def _json(logger: WrappedLogger, name: str, event: EventDict) -> str:
    try:
        return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError):
        # orjson refuses a lone surrogate or an integer beyond 64 bits; the standard library escapes them.
        return json.dumps(event, default=repr)


def _cut(text: str, columns: int) -> str:
    return text if len(text) <= columns else text[: columns - 1] + "…"


def _console() -> Processor:
    """Renderer for a person at a terminal: a request is one line, nothing has a whole result, and what the
    banner of `handover serve` says is not said again.
    """
    # Plain tracebacks: the pretty ones print local variables, and with them values that are not ours to show.
    console = structlog.dev.ConsoleRenderer(
        pad_event_to=0,
        pad_level=False,
        colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
        exception_formatter=structlog.dev.plain_traceback,
    )

    in_the_banner = {"engine.started", "app.started"}  # the first of each

    def render(logger: WrappedLogger, name: str, event: EventDict) -> str:
        if event["event"] in in_the_banner:
            in_the_banner.discard(event["event"])
            raise structlog.DropEvent
        time = event.pop("timestamp")[11:19]
        if event["event"] == "http.request":
            event["request_id"] = _cut(event["request_id"], LONGEST_ID)
            ends = "{status} {ms:.0f} ms {queries}q {request_id}".format(**event)
            start = f"{time} {event['method']} "
            path = quote(event["path"], safe="/:@,;=+$!*'()", errors="replace")
            line = f"{start}{_cut(path, LINE - len(start) - len(ends) - 1)} {ends}"
            room = LINE - len(line) - 1
            why = "".join(each if each.isprintable() else "?" for each in event.get("reason", ""))
            return f"{line} {_cut(why, room)}" if why and room >= min(SHORTEST_REASON, len(why)) else line
        told: EventDict = {
            key: value for key, value in event.items() if not isinstance(value, dict | list | None)
        }
        if event["level"] in ("debug", "info"):  # of what went wrong nothing is left out
            told = _shortened(told)
        return str(console(logger, name, {"timestamp": time, **told}))

    return render


def _shortened(event: EventDict) -> EventDict:
    """Event of at most LINE columns: the error, cut where it has to be, then the fields that have room,
    ids by their first digits.
    """
    room = LINE - len("00:00:00 [] ") - len(event["level"]) - len(event["event"])
    shown: EventDict = {"level": event.pop("level"), "event": event.pop("event")}
    for name, value in sorted(event.items(), key=lambda field: field[0] != "error"):
        text = _UUID.sub(r"\1…", value) if isinstance(value, str) else value
        if name == "error" and isinstance(text, str):
            text = _cut(text, room - len(" error=''"))
        width = len(f" {name}={text!r}")
        if width <= room:
            shown[name] = text
            room -= width
    return shown


# The console renderer prints tracebacks itself; JSON needs them as text first.
_EXCEPTIONS: Final[dict[Processor, tuple[Processor, ...]]] = {
    _json: (structlog.processors.format_exc_info,),
}


class _Lines:
    """The handler of finished lines while JSON is written at info level; None otherwise."""

    handler: _Handler | None = None
    finish: Processor | None = None


def writes_lines() -> bool:
    """True if events at info level may be given as finished lines.

    Not as text, which is for a person at a terminal, and not while somebody has put other processors in place
    to see the events (tests that capture them).
    """
    return _Lines.handler is not None and bool(_processors) and _processors[-1] is _Lines.finish


def info_line(event: str, at: datetime, fields: dict[str, Any]) -> str:
    """Line that `info(event, **fields)` of any logger would write at that time, at a fifth of the cost.
    `fields` must be complete: context variables are not read.
    """
    whole = {**fields, "event": event, "level": "info", "timestamp": at}
    try:
        return orjson.dumps(whole, option=orjson.OPT_UTC_Z).decode()
    except (TypeError, ValueError):
        return _json(None, "info", {**whole, "timestamp": at.isoformat().replace("+00:00", "Z")})


def write_lines(lines: Sequence[str]) -> None:
    """Write many events at once. Only while `writes_lines`."""
    if lines and _Lines.handler is not None:
        _Lines.handler.handle(logging.makeLogRecord({"msg": _Rendered("\n".join(lines))}))


def writes_text(settings: Settings) -> bool:
    """True if the log is for a person at a terminal, False if it is JSON."""
    return settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())


def configure(settings: Settings) -> None:
    """Set up logging for this process. Calling it again replaces the earlier setup."""
    text = writes_text(settings)
    renderer: Processor = _console() if text else _json
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]

    finish = _finishing(renderer)
    _processors[:] = [*_PRE_CHAIN, *_EXCEPTIONS.get(renderer, ()), finish]
    structlog.configure(
        processors=_processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )

    handler = _Handler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            renderer, foreign_pre_chain=[structlog.stdlib.add_logger_name, *_processors[:-1]]
        )
    )
    flush()
    _Lines.finish, _Lines.handler = finish, None if text or level > logging.INFO else handler
    root = logging.getLogger()
    root.handlers[:] = [other for other in root.handlers if not isinstance(other, _Handler)] + [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = name != "uvicorn.access"
    # These repeat at info level what our own events say better.
    for name in ("httpx", "httpcore", "asyncio", "uvicorn.error"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
