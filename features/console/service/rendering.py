"""Pages from templates. Every value is escaped; the words are those of `texts.toml`."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import quote

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from features.console.service.differences import Piece, marked
from features.console.service.records import EXACT, RECORDS, state_of

_HUMP: Final = re.compile("(?<=[a-z])(?=[A-Z])")

_SNAKE: Final = re.compile("_([a-z])")

_MOMENT: Final = re.compile(r"\w+At|dueDate|lastChecked")
"""Fields that are moments."""
_WORDS: Final = frozenset({"status", "priority", "category", "type", "scope", "action"})
"""Fields whose values are words of the API."""
_SHOWN: Final = 200
"""Letters of a value of a change."""
_ITSELF: Final = frozenset({"clock", "webhooks", "system"})
"""Actors of jobs that the service begins by itself: one that is cancelled begins again."""

FOLDER: Final = Path(__file__).resolve().parents[1]
STATIC: Final = FOLDER / "static"
TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def render(template: str, **values: object) -> str:
    return _environment().get_template(template).render(**values)


@cache
def texts() -> SimpleNamespace:
    """The words, by section and name."""

    def named(section: Mapping[str, Any]) -> SimpleNamespace:
        return SimpleNamespace(
            **{name: named(each) if isinstance(each, dict) else each for name, each in section.items()}
        )

    return named(tomllib.loads((FOLDER / "texts.toml").read_text(encoding="utf-8")))


@cache
def assets() -> Mapping[str, bytes]:
    """Assets that browsers load, by their paths below `static`."""
    files = (path for path in sorted(STATIC.rglob("*")) if path.suffix in TYPES)
    return {path.relative_to(STATIC).as_posix(): path.read_bytes() for path in files}


@cache
def release() -> str:
    """Name of this state of the assets: a part of their paths, so that browsers may keep them for good."""
    return sha256(b"".join(assets().values())).hexdigest()[:12]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"t": texts(), "static": f"/console/static/{release()}"}
    filters: dict[str, Callable[..., object]] = {
        "json": lambda value: orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(),
        "moment": moment,
        "number": number,
        "size": size,
        "span": span,
        "part": lambda text: quote(str(text), safe=""),
        "word": word,
        "state": state_of,
        "past": past,
        "value": value,
        "whole": whole,
        "cut": cut,
        "counted": lambda count, forms: forms[0] if count == 1 else forms[1].format(number(count)),
        "told": told,
        "cancellable": cancellable,
        "versions": versions,
        "field_name": field_name,
        "marked": lambda one, other: marked(_written(one), _written(other)),
        "row_page": lambda entity, row_id: RECORDS[entity].page(row_id),
        "prints": lambda row, entity: RECORDS[entity].prints(row),
    }
    environment.filters |= filters
    return environment


def moment(text: str | None) -> str:
    """Time element of a moment of the API; the page's script writes it in the reader's zone."""
    if not text:
        return ""
    at = datetime.fromisoformat(text).astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(text, at.strftime("%Y-%m-%d %H:%M"))


def cancellable(job: Mapping[str, Any]) -> bool:
    return job["state"] in ("queued", "running") and job["actor"] not in _ITSELF


def past(text: str) -> bool:
    return datetime.fromisoformat(text) < datetime.now(UTC)


def number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def size(value: float | None) -> str:
    """Number of bytes for people."""
    left = float(value or 0)
    for unit in ("B", "KB", "MB", "GB"):
        if left < 1024 or unit == "GB":
            return f"{left:.0f} {unit}" if unit == "B" or left >= 100 else f"{left:.1f} {unit}"
        left /= 1024
    return ""


def span(seconds: float | None) -> str:
    """Length of time for people: its two largest units."""
    left = timedelta(seconds=round(seconds or 0))
    hours, rest = divmod(left.seconds, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [(left.days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    largest = [f"{count} {unit}" for count, unit in parts if count][:2]
    return " ".join(largest) or "0 s"


def value(given: object, field: str) -> str:
    """Value of a change for people, cut if it is long."""
    return cut(whole(given, field))


def whole(given: object, field: str) -> str:
    """Value of a change for people: a moment, a word of the API, a number without needless digits."""
    if isinstance(given, bool):
        return str(texts().edit.yes if given else texts().edit.no)
    if isinstance(given, str) and _MOMENT.fullmatch(field):
        return moment(given)
    if isinstance(given, str) and field in _WORDS:
        return word(given)
    if isinstance(given, float) and given.is_integer() and abs(given) < EXACT:
        return str(int(given))
    return given if isinstance(given, str) else orjson.dumps(given, option=orjson.OPT_INDENT_2).decode()


def told(pieces: Sequence[Piece], field: str) -> Sequence[Piece]:
    """The pieces of a field's value; a word of the API for people."""
    if field not in _WORDS:
        return pieces
    return [Piece(word("".join(each.text for each in pieces)), any(each.differs for each in pieces))]


def cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def versions(change: Mapping[str, Any], field: str) -> tuple[Sequence[Piece], Sequence[Piece]]:
    """Pieces of a change's values before and after. Of two texts, those that differ are marked: the words of
    a long one that has changed can stand anywhere in it.
    """
    before, after = change.get("before"), change.get("after")
    texts_of_both = ["" if given is None else whole(given, field) for given in (before, after)]
    if before is None or after is None or max(map(len, texts_of_both)) <= _SHOWN:
        one, other = ([Piece(cut(text), differs=False)] if text else [] for text in texts_of_both)
        return one, other
    return marked(*texts_of_both)


def field_name(path: str) -> str:
    """Name of a field of the API, in either of its forms, as forms call it; of what is inside one with its
    place: `tags.2` is the third tag.
    """
    name, _, inner = path.partition(".")
    camel = _SNAKE.sub(lambda found: found[1].upper(), name)
    label = vars(texts().edit.field).get(camel) or word(_HUMP.sub(" ", name).lower())
    if not inner:
        return str(label)
    form, place = (
        (texts().edit.nth, str(int(inner) + 1)) if inner.isdecimal() else (texts().edit.inside, inner)
    )
    return str(form.format(label, place))


def _written(value: object) -> str:
    """Value as text; one that is not there is no text."""
    if isinstance(value, str) and value:
        return value
    return "" if value is None else orjson.dumps(value).decode()


def word(text: object) -> str:
    """A word of the API for people: `in_progress` is In progress."""
    if (known := vars(texts().words).get(str(text))) is not None:
        return str(known)
    plain = str(text).replace("_", " ").replace("-", " ").replace(".", " ")
    return plain[:1].upper() + plain[1:]
