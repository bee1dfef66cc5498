"""Old words and values, one by one: what they become, and that the original stays."""

import json
from typing import Any

import pytest

from features.imports.registry.tables import AUDIT, FILES, IDEAS, SYSTEMS, TABLES
from features.imports.registry.translate import Candidate, translate
from features.imports.schemas import Table
from features.imports.tests.registry import factories
from features.imports.tests.registry.factories import NOON, Old

MAKE = {SYSTEMS: factories.system, IDEAS: factories.idea, FILES: factories.file, AUDIT: factories.entry}


def translated(table: Table, **changes: object) -> Candidate:
    row: Old = MAKE[table](**changes)
    return translate(table, row)


def legacy_of(candidate: Candidate) -> dict[str, Any]:
    assert candidate.old.faults == []
    text = candidate.finished()["legacy"]
    assert isinstance(text, str)
    legacy: dict[str, Any] = json.loads(text)
    return legacy


@pytest.mark.parametrize(
    ("table", "column", "old", "new"),
    [
        (IDEAS, "status", "backlog", "new"),
        (IDEAS, "status", "todo", "triage"),
        (IDEAS, "status", "done", "completed"),
        (IDEAS, "priority", "urgent", "critical"),
        (IDEAS, "category", "new_feature", "automation"),
        (IDEAS, "category", "improvement", "docs"),
        (IDEAS, "category", "bug_fix", "api"),
        (IDEAS, "category", "content", "docs"),
        (IDEAS, "category", "structure", "infrastructure"),
        (IDEAS, "status", "cancelled", "rejected"),
        (IDEAS, "category", "guide", "docs"),
        (IDEAS, "category", "reference", "docs"),
        (IDEAS, "category", "tutorial", "docs"),
        (AUDIT, "action", "create", "created"),
        (AUDIT, "action", "update", "updated"),
        (AUDIT, "action", "delete", "deleted"),
        (SYSTEMS, "status", "error", "degraded"),
        (SYSTEMS, "status", "unknown", "planned"),
    ],
)
def test_an_old_word_becomes_its_new_one_and_stays(table: Table, column: str, old: str, new: str) -> None:
    candidate = translated(table, **{column: old})
    assert candidate.row[column] == new
    assert candidate.old.translated == {column}
    assert legacy_of(candidate)["original"][column] == old


@pytest.mark.parametrize(
    ("table", "column", "word"),
    [
        *((IDEAS, "status", word) for word in ("new", "triage", "in_progress", "review", "rejected")),
        *((IDEAS, "priority", word) for word in ("low", "medium", "high", "critical")),
        *((IDEAS, "category", word) for word in ("api", "docs", "dashboard", "automation", "infrastructure")),
        *((SYSTEMS, "status", word) for word in ("online", "degraded", "offline", "planned")),
        *((SYSTEMS, "type", word) for word in ("api", "webapp", "docs", "tool")),
    ],
)
def test_a_word_that_both_know_stays(table: Table, column: str, word: str) -> None:
    candidate = translated(table, **{column: word})
    assert candidate.row[column] == word
    assert "original" not in legacy_of(candidate)


@pytest.mark.parametrize(
    ("table", "column", "value", "message"),
    [
        (SYSTEMS, "name", "", "must not be empty"),
        (SYSTEMS, "name", "n" * 256, "must have at most 255 characters"),
        (IDEAS, "title", None, "is required"),
        (IDEAS, "title", "t" * 256, "must have at most 255 characters"),
        (IDEAS, "id", "", "must not be empty"),
        (IDEAS, "id", "i" * 129, "must have at most 128 characters"),
        (IDEAS, "title", "a\0b", "must not contain the NUL character"),
        (IDEAS, "assigned_to", "a\0b", "must not contain the NUL character"),
        (IDEAS, "unheard_of", "a\ud800b", "must be valid Unicode text"),
        (SYSTEMS, "response_time_ms", 10**400, "is a number out of range"),
        (FILES, "id", None, "is required"),
        (AUDIT, "action", "renamed", "must be one of create, update, delete"),
        (AUDIT, "entity_id", None, "is required"),
        (AUDIT, "ts", "never", "is required, as an ISO 8601 timestamp"),
    ],
)
def test_what_a_row_cannot_do_without_is_a_fault(
    table: Table, column: str, value: object, message: str
) -> None:
    faults = translated(table, **{column: value}).old.faults
    assert [field for field, _ in faults] == [column]
    assert faults[0][1].startswith(message)


@pytest.mark.parametrize(
    ("table", "column", "value", "becomes"),
    [
        (IDEAS, "status", "Backlog", "new"),
        (IDEAS, "status", None, "new"),
        (IDEAS, "priority", "very high", "medium"),
        (IDEAS, "category", None, "docs"),
        (SYSTEMS, "status", "exploded", "planned"),
        (SYSTEMS, "port", 0, None),
        (SYSTEMS, "port", 65_536, None),
        (SYSTEMS, "type", "database", None),
        (SYSTEMS, "url", "hub:8080", None),
        (SYSTEMS, "url", "https://user:secret@hub.example/", None),
        (SYSTEMS, "owner", "o" * 201, None),
        (SYSTEMS, "metadata", "[1]", None),
        (SYSTEMS, "metadata", "{not json", None),
        (SYSTEMS, "metadata", '{"a":NaN}', None),
        (SYSTEMS, "metadata", '{"a":1e999}', None),
        (SYSTEMS, "metadata", '{"a":"\\u0000"}', None),
        (SYSTEMS, "metadata", '{"a":' + "[" * 3000 + "]" * 3000 + "}", None),
        (SYSTEMS, "response_time_ms", -1, None),
        (SYSTEMS, "response_time_ms", 2**31, None),
        (SYSTEMS, "response_time_ms", "soon", None),
        (SYSTEMS, "response_time_ms", 12.6, 13),
        (SYSTEMS, "last_checked", "yesterday", None),
        (IDEAS, "tags", '["a",1]', []),
        (IDEAS, "tags", '["\\ud800"]', []),
        (IDEAS, "estimated_hours", 0.5, None),
        (IDEAS, "estimated_hours", "1001", None),
        (IDEAS, "actual_hours", -1, None),
        (IDEAS, "due_date", "2024-13-01", None),
        (IDEAS, "completed_at", NOON, None),
        (FILES, "uploaded_by", None, "anonymous"),
        (FILES, "uploaded_by", "u" * 129, "anonymous"),
        (FILES, "is_public", "maybe", False),
        (FILES, "download_count", -3, 0),
    ],
)
def test_what_cannot_be_held_is_adapted_and_kept(
    table: Table, column: str, value: object, becomes: object
) -> None:
    candidate = translated(table, **{column: value})
    assert candidate.row[column] == becomes
    assert candidate.old.adapted == {column}
    assert legacy_of(candidate)["original"][column] == value


@pytest.mark.parametrize(
    ("column", "value", "becomes"),
    [
        ("created_at", "2024-05-01T10:00:00.123456Z", "2024-05-01T10:00:00.123Z"),
        ("updated_at", "2024-05-01T10:00:00.123456789Z", "2024-05-01T10:00:00.123Z"),
        ("due_date", "2024-05-01T10:00:00.000001+02:00", "2024-05-01T08:00:00.000Z"),
    ],
)
def test_what_is_finer_than_milliseconds_is_kept(column: str, value: str, becomes: str) -> None:
    candidate = translated(IDEAS, **{column: value})
    assert candidate.row[column] == becomes
    assert candidate.old.adapted == set()
    assert legacy_of(candidate)["original"] == {column: value}


def test_what_the_columns_hold_whole_leaves_nothing_but_what_has_no_column() -> None:
    for table in TABLES:
        expected = {"fields": {"designated_timestamp": NOON}}
        if table == AUDIT:
            expected = {"fields": {"user_agent": "Firefox"}, "original": {"action": "update"}}
        if table == FILES:
            # What only the bytes can tell is asked for when they are read.
            expected["fields"] |= {
                "mime_type": "text/markdown",
                "file_path": "/srv/registry/uploads/guide.md",
            }
        assert legacy_of(translated(table)) == expected


def test_columns_that_nobody_knows_are_kept() -> None:
    legacy = legacy_of(translated(IDEAS, votes=7, reviewer="eva", archived=None))
    assert legacy["fields"] == {"designated_timestamp": NOON, "votes": 7, "reviewer": "eva"}


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        (SYSTEMS, "name", "n" * 255),
        (SYSTEMS, "description", None),
        (SYSTEMS, "port", 65_535),
        (SYSTEMS, "host", "hub.internal"),
        (SYSTEMS, "icon", "i" * 300),
        (SYSTEMS, "color", "#aabbcc"),
        (IDEAS, "title", "t" * 255),
        (IDEAS, "description", None),
        (IDEAS, "tags", ["t" * 5000] * 1001),
        (FILES, "description", "d" * 501),
    ],
)
def test_what_the_old_service_allowed_comes_as_it_was(table: Table, column: str, value: object) -> None:
    candidate = translated(table, **{column: value})
    assert candidate.old.faults == []
    assert candidate.row[column] == value
    assert candidate.old.adapted == set()
    assert "original" not in legacy_of(candidate)


@pytest.mark.parametrize(
    ("text", "tags", "kept"),
    [
        ("docs,portal", ["docs", "portal"], False),
        ("docs", ["docs"], False),
        ("não json", ["não json"], False),
        ("docs, portal,", ["docs", "portal"], True),
        ("[draft],portal", ["[draft]", "portal"], False),
        ("true", ["true"], False),
        ("2024", ["2024"], False),
        ('["docs","portal"]', ["docs", "portal"], False),
        ("null", [], False),
        ("", [], True),
    ],
)
def test_tags_are_json_or_have_commas_between_them(text: str, tags: list[str], kept: bool) -> None:
    candidate = translated(IDEAS, tags=text)
    assert candidate.row["tags"] == tags
    assert candidate.old.adapted == set()
    assert legacy_of(candidate).get("original") == ({"tags": text} if kept else None)


@pytest.mark.parametrize("number", [2**53 + 1, 2**63, -(2**63) - 1, 10**20])
def test_numbers_in_metadata_are_exact(number: int) -> None:
    for metadata in (f'{{"n":{number},"__proto__":{{"deep":[{number}]}}}}', {"n": number}):
        candidate = translated(SYSTEMS, metadata=metadata)
        found = candidate.row["metadata"]
        assert isinstance(found, dict)
        assert found["n"] == number
        assert "original" not in legacy_of(candidate)


@pytest.mark.parametrize(
    ("metadata", "kept"),
    [('{"a":1}', False), ('{"a": 1, "ç": "é"}', False), ('{"a":1.50}', True), ('{"a":1,"a":2}', True)],
)
def test_json_that_cannot_be_written_again_alike_is_kept(metadata: str, kept: bool) -> None:
    legacy = legacy_of(translated(SYSTEMS, metadata=metadata))
    assert legacy.get("original") == ({"metadata": metadata} if kept else None)


def test_a_completed_idea_has_a_moment_of_completion() -> None:
    updated_at = "2024-07-01T00:00:00.000Z"
    assert translated(IDEAS, status="done", updated_at=updated_at).row["completed_at"] == updated_at
    assert translated(IDEAS, status="done").row["completed_at"] == "2024-05-01T12:00:00.000Z"
    assert translated(IDEAS, status="done", completed_at=NOON).old.adapted == set()


def test_a_row_that_does_not_say_when_it_came_has_come_at_its_timestamp() -> None:
    candidate = translated(IDEAS, created_at=None)
    assert candidate.row["created_at"] == "2024-05-01T12:00:00.000Z"
    assert legacy_of(candidate)["original"] == {"created_at": None}
    faults = translated(IDEAS, created_at="never", designated_timestamp=None).old.faults
    assert faults == [("created_at", "is required, as an ISO 8601 timestamp")]


def test_names_of_files_become_safe_and_stay() -> None:
    candidate = translated(FILES, filename="../a\\b:c\u202e.md", original_name="tab\there.md")
    assert (candidate.row["filename"], candidate.row["original_name"]) == ("b_c.md", "tabhere.md")
    assert legacy_of(candidate)["original"] == {
        "filename": "../a\\b:c\u202e.md",
        "original_name": "tab\there.md",
    }


def test_values_of_real_types_are_taken_too() -> None:
    """As PostgreSQL has them: lists, objects, numbers, booleans."""
    candidate = translated(SYSTEMS, tags=["a", "b"], metadata={"a": [1, None]}, response_time_ms="7")
    assert candidate.row["tags"] == ["a", "b"]
    assert candidate.row["metadata"] == {"a": [1, None]}
    assert candidate.row["response_time_ms"] == 7
    assert translated(FILES, is_public="t", download_count="9").row["is_public"] is True
    assert translated(IDEAS, id=42).row["id"] == "42"
