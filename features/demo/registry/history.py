"""History of the demo's rows: every row in all its versions over the last sixty days.

Times are spread evenly and without chance, so that two runs at the same moment make the same registry.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import JsonValue

from core.http.request.fields import to_iso
from features.audit.api import Action
from features.demo.registry.tables import id_of, table

DAYS: Final = 60
Fields = Mapping[str, JsonValue]
"""Row in the names and forms of the API; a field without a value is absent."""

_AUTHORS: Final = ("platform-team", "docs-team", "frontend-team", "data-team", "operations", "security-team")
_IDEA_PATHS: Final[Sequence[tuple[str, ...]]] = (
    (),
    ("triage",),
    ("triage", "in_progress", "review", "completed"),
    ("triage", "in_progress"),
    (),
    ("triage", "in_progress", "review"),
    ("triage",),
    ("triage", "in_progress", "review", "completed"),
    ("triage", "in_progress"),
    (),
    ("triage", "rejected"),
    ("triage", "in_progress", "review", "completed"),
    ("triage", "in_progress"),
    (),
    ("triage",),
    ("triage", "in_progress", "review"),
)
_ITEM_PATHS: Final[Sequence[tuple[str, ...]]] = (
    (),
    ("review",),
    ("review", "in-progress"),
    ("review", "in-progress", "completed"),
    ("review", "rejected"),
)


@dataclass(frozen=True, slots=True)
class Version:
    """Version of a row, as its author left it."""

    fields: Fields
    author: str
    at: datetime
    action: Action


@dataclass(frozen=True, slots=True)
class Story:
    """Versions of one row, oldest first."""

    id: str
    versions: Sequence[Version]

    @property
    def today(self) -> Fields:
        return self.versions[-1].fields


def systems(end: datetime) -> list[Story]:
    """Systems, registered within the first hours and checked once a week; those with a problem today got it
    in the last week.
    """
    rows = table("systems")
    return [_system(row, end, place) for place, row in enumerate(rows)]


def ideas(end: datetime) -> list[Story]:
    rows = table("ideas")
    return [_idea(row, end, place, len(rows)) for place, row in enumerate(rows)]


def items(end: datetime) -> list[Story]:
    rows = table("items")
    return [_item(row, end, place, len(rows)) for place, row in enumerate(rows)]


def _system(row: Mapping[str, str], end: datetime, place: int) -> Story:
    created_at = end - timedelta(days=DAYS, minutes=-37 * place)
    fields: dict[str, JsonValue] = {
        "id": id_of("system", row["key"]),
        **{
            name: row[name]
            for name in ("name", "description", "type", "category", "owner", "version")
            if row[name]
        },
        "status": "planned",
        "tags": list[JsonValue](row["tags"].split()),
        "createdAt": to_iso(created_at),
    }
    versions = [Version(dict(fields), row["owner"], created_at, "created")]
    if row["port"]:
        host = f"{row['key']}.registry.example"
        fields |= {"port": int(row["port"]), "host": host, "url": f"https://{host}/health"}
        fields |= {"status": "online", "updatedAt": to_iso(created_at + timedelta(days=1))}
        versions.append(Version(dict(fields), row["owner"], created_at + timedelta(days=1), "updated"))
        weeks = DAYS // 7
        for week in range(weeks):
            at = end - timedelta(days=7 * (weeks - 1 - week), minutes=30 - place)
            last = week == weeks - 1
            fields["status"] = row["status"] if last else "online"
            fields["lastChecked"] = to_iso(at)
            if row["milliseconds"]:
                took = int(row["milliseconds"])
                fields["responseTimeMs"] = took if last else min(took, 90 + 7 * week)
            versions.append(Version(dict(fields), "operations", at, "checked"))
    return Story(str(fields["id"]), versions)


def _idea(row: Mapping[str, str], end: datetime, place: int, count: int) -> Story:
    path = _IDEA_PATHS[place % len(_IDEA_PATHS)]
    times = _times(end, place, count, len(path))
    author, assigned = _author(place), _author(place + 2)
    fields: dict[str, JsonValue] = {
        "id": id_of("idea", row["title"]),
        **{name: row[name] for name in ("title", "description", "category", "priority")},
        "status": "new",
        "tags": list[JsonValue](row["tags"].split()),
        "createdBy": author,
        "createdAt": to_iso(next(times)),
    }
    if row["system"]:
        fields["systemId"] = id_of("system", row["system"])
    versions = [Version(dict(fields), author, _moment(fields["createdAt"]), "created")]
    for status, at in zip(path, times, strict=True):
        fields |= {"status": status, "updatedAt": to_iso(at)}
        if status == "in_progress":
            due = end + timedelta(days=place % 30 - 8)
            fields |= {"assignedTo": assigned, "estimatedHours": 4 + place * 7 % 60}
            fields["dueDate"] = to_iso(due.replace(hour=12, minute=0, second=0, microsecond=0))
        if status == "completed":
            fields |= {"completedAt": to_iso(at), "actualHours": 3 + place * 11 % 80}
        versions.append(Version(dict(fields), author if status == "triage" else assigned, at, "updated"))
    return Story(str(fields["id"]), versions)


def _item(row: Mapping[str, str], end: datetime, place: int, count: int) -> Story:
    path = _ITEM_PATHS[place % len(_ITEM_PATHS)]
    times = _times(end, place, count, len(path))
    fields: dict[str, JsonValue] = {
        "id": id_of("item", row["title"]),
        **{name: row[name] for name in ("title", "description", "category", "priority")},
        "status": "new",
        "tags": list[JsonValue](row["tags"].split()),
        "createdAt": to_iso(next(times)),
        "updatedAt": None,
    }
    versions = [Version(dict(fields), _author(place), _moment(fields["createdAt"]), "created")]
    for status, at in zip(path, times, strict=True):
        fields |= {"status": status, "updatedAt": to_iso(at)}
        versions.append(Version(dict(fields), _author(place + 1), at, "updated"))
    return Story(str(fields["id"]), versions)


def _times(end: datetime, place: int, count: int, moves: int) -> Iterator[datetime]:
    """Time of creation of one of `count` rows, then of its moves: evenly until today, or in three weeks."""
    turn = place * 37 % count
    created_at = end - timedelta(days=(DAYS - 2) * (count - turn) / count, minutes=place * 53 % 600)
    room = min(end - created_at - timedelta(hours=1), timedelta(days=21))
    for step in range(moves + 1):
        yield created_at + room * step / max(moves, 1)


def _author(place: int) -> str:
    return _AUTHORS[place % len(_AUTHORS)]


def _moment(text: JsonValue) -> datetime:
    return datetime.fromisoformat(str(text))
