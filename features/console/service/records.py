"""Records that people edit, and their fields as texts of a form: shown, and read again."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from io import StringIO
from math import isfinite
from typing import Any, Final, Literal
from urllib.parse import quote

import orjson

from features.console.schemas import Answer
from features.console.service.json_texts import indented, is_json, member

EXACT: Final = 2.0**53
"""From here on a fractional number skips whole ones."""

Kind = Literal["line", "note", "text", "choice", "tags", "number", "date", "json", "flag", "system", "entity"]


@dataclass(frozen=True, slots=True)
class Field:
    """Field by the name that the API gives it. `later`: it is not asked for when a record is made. `default`
    is offered then; without it a choice that is required is left to the person. The kind `entity` offers the
    kinds of row that changes are of.
    """

    name: str
    kind: Kind = "line"
    values: tuple[str, ...] = ()
    required: bool = False
    longest: int | None = None
    later: bool = False
    default: str = ""

    def shown(self, row: Mapping[str, Any]) -> str:
        """Text of the row's value, as it comes back from a form that nobody touched: a field of one line has
        no end of one, and other lines end alike.
        """
        value = row.get(self.name)
        if value is None:
            return ""
        if self.kind == "tags":
            return ", ".join(_quoted(tag) for tag in value).replace("\r", "").replace("\n", "")
        if self.kind == "date":
            return str(value)[:10]
        if self.kind == "json":
            return indented(value)
        if self.kind == "flag":
            return "true" if value else "false"
        if self.kind == "number" and float(value).is_integer():
            return str(int(value))
        lines = str(value).replace("\r\n", "\n").replace("\r", "\n")
        return lines if self.kind == "text" else lines.replace("\n", "")

    def given(self, text: str) -> object:
        """Value of a text. What cannot be read goes on as it is: the API says what is wrong with it."""
        if self.kind == "tags":
            return _tags(text)
        if self.kind == "flag":
            return text == "true"
        if self.kind != "note" and not text.strip() and not self.required:
            return None
        if self.kind == "date" and len(text) == len("2025-10-23"):
            return f"{text}T00:00:00.000Z"
        if self.kind == "json" and is_json(text):
            return orjson.Fragment(text)
        try:
            if self.kind == "number" and isfinite(number := float(text)):
                return int(number) if abs(number) < EXACT and number.is_integer() else number
        except ValueError:
            pass
        return text


@dataclass(frozen=True, slots=True)
class Record:
    """Kind of row that has a page. `entity` is its word in the audit trail and `api` its path in the API;
    `pages` is the path of the list, `one` the beginning of that of a row's page; `label` is the field that
    says what a row is called, `part` the template of a row in a list, if a list changes rows.
    """

    entity: str
    api: str
    pages: str
    one: str
    label: str
    part: str
    fields: tuple[Field, ...]

    def place(self, row_id: str) -> str:
        """Path of the row in the API."""
        return f"{self.api}/{quote(row_id, safe='')}"

    def page(self, row_id: str) -> str:
        return f"{self.one}{quote(row_id, safe='')}"

    def row(self, answer: Answer) -> dict[str, Any]:
        """Row of an answer; JSON in it stays the text that the API wrote."""
        found: dict[str, Any] = answer.data["data"]
        for field in self.fields:
            if field.kind == "json" and found.get(field.name) is not None:
                found[field.name] = member(answer.body.decode(), field.name, 2)
        return found

    def shown(self, row: Mapping[str, Any]) -> dict[str, str]:
        return {field.name: field.shown(row) for field in self.fields}

    def given(self, texts: Mapping[str, str]) -> dict[str, object]:
        """Values of the fields that the form has."""
        return {field.name: field.given(texts[field.name]) for field in self.fields if field.name in texts}

    def prints(self, row: Mapping[str, Any]) -> str:
        """Digests of what a form shows at first, by which its changes are known when it comes back."""
        return ",".join(f"{name}:{_digest(text)}" for name, text in self.shown(row).items())

    def mine(self, form: Mapping[str, str]) -> dict[str, str]:
        """Texts of the form that its person has changed: all of them, if the form does not say what was."""
        was = _read(form.get("was", ""))
        texts = {
            field.name: form[field.name].replace("\r\n", "\n") for field in self.fields if field.name in form
        }
        return {name: text for name, text in texts.items() if was.get(name) != _digest(text)}

    def theirs(self, form: Mapping[str, str], row: Mapping[str, Any]) -> set[str]:
        """Names of the fields that others have changed since the form was shown."""
        was = _read(form.get("was", ""))
        return {name for name, text in self.shown(row).items() if name in was and was[name] != _digest(text)}


def state_of(row: Mapping[str, Any]) -> str:
    """Which state of a row that is: the moment of its last change."""
    return str(row.get("updatedAt") or row["createdAt"])


def _tags(text: str) -> list[str]:
    line = " ".join(text.splitlines())
    try:
        found = next(csv.reader([line], skipinitialspace=True), [])
    except csv.Error:  # a field of more letters than it takes
        found = line.split(",")
    return [tag.strip() for tag in found if tag.strip()]


def _quoted(tag: str) -> str:
    """The tag as it stands in a list with commas."""
    written = StringIO()
    csv.writer(written).writerow([tag])
    return written.getvalue().removesuffix("\r\n")


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def _read(prints: str) -> dict[str, str]:
    return dict(each.split(":", 1) for each in prints.split(",") if ":" in each)


_PRIORITY: Final = Field(
    "priority", "choice", ("low", "medium", "high", "critical"), required=True, default="medium"
)

IDEA: Final = Record(
    "idea",
    "/api/v1/ideas",
    "/console/ideas",
    "/console/ideas/",
    "title",
    "parts/idea_card.html",
    (
        Field("title", required=True, longest=200),
        Field("description", "text", required=True),
        Field(
            "status",
            "choice",
            ("new", "triage", "in_progress", "review", "completed", "rejected"),
            required=True,
            default="new",
        ),
        _PRIORITY,
        Field(
            "category", "choice", ("api", "docs", "dashboard", "automation", "infrastructure"), required=True
        ),
        Field("systemId", "system"),
        Field("assignedTo", longest=200),
        Field("dueDate", "date"),
        Field("estimatedHours", "number"),
        Field("actualHours", "number"),
        Field("tags", "tags"),
    ),
)

ITEM: Final = Record(
    "item",
    "/api/items",
    "/console/items",
    "/console/items/item?id=",
    "title",
    "parts/item_row.html",
    (
        Field("title", required=True, longest=200),
        Field("description", "text", required=True),
        Field(
            "status",
            "choice",
            ("new", "review", "in-progress", "completed", "rejected"),
            required=True,
            later=True,
        ),
        Field(
            "category",
            "choice",
            (
                "documentacao",
                "coleta-dados",
                "banco-dados",
                "analise-dados",
                "gestao-riscos",
                "dashboard",
            ),
            required=True,
        ),
        _PRIORITY,
        Field("tags", "tags"),
    ),
)

SYSTEM: Final = Record(
    "system",
    "/api/v1/systems",
    "/console/systems",
    "/console/systems/",
    "name",
    "parts/system_row.html",
    (
        Field("name", required=True, longest=200),
        Field("description", "text", required=True),
        Field("status", "choice", ("online", "degraded", "offline", "planned"), required=True),
        Field("type", "choice", ("api", "webapp", "docs", "tool")),
        Field("url", longest=2048),
        Field("host", longest=200),
        Field("port", "number"),
        Field("category", longest=200),
        Field("owner", longest=200),
        Field("version", longest=200),
        Field("icon", longest=200),
        Field("color", longest=200),
        Field("tags", "tags"),
        Field("metadata", "json"),
    ),
)

FILE: Final = Record(
    "file",
    "/api/v1/files",
    "/console/files",
    "/console/files/",
    "originalName",
    "parts/file_row.html",
    (
        Field("description", longest=500),
        Field("systemId", "system"),
        Field("ideaId", longest=128),
        Field("isPublic", "flag"),
    ),
)

WEBHOOK: Final = Record(
    "webhook",
    "/api/v1/webhooks",
    "/console/webhooks",
    "/console/webhooks/",
    "url",
    "",
    (
        Field("url", required=True, longest=2048),
        Field("entity", "entity"),
        Field("action", "choice", ("created", "updated", "deleted", "imported", "checked")),
        Field("entityId", longest=512),
        Field("description", "note", longest=1000),
        Field("active", "flag"),
    ),
)

UPLOADS: Final = f"{FILE.api}/upload-info"
"""Path of what may be uploaded."""

RECORDS: Final = {record.entity: record for record in (IDEA, ITEM, SYSTEM, FILE, WEBHOOK)}
