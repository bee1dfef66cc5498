"""Which records are taken over, and what is said of the others."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from features.imports.errors import SourceUnavailable
from features.imports.lowdb.item import LegacyItem
from features.imports.lowdb.source import LowDbSource
from features.imports.lowdb.validator import ItemValidator, as_ascii_line
from features.imports.pipeline.identifiers import SeenIds
from features.imports.pipeline.spool import batches, chunks
from features.imports.pipeline.validator import Rejects, Sink
from features.imports.schemas import FileArguments, Reject
from features.imports.storage.writer import SpoolWriter
from features.imports.tests.factories import FIVE, Record, lowdb, many, record, write


@dataclass(frozen=True, slots=True)
class Counted:
    records: int
    rejected: int
    spool_sha256: str
    rejects_sha256: str


def validated(
    folder: Path, content: bytes, max_rejects: int | None = None
) -> tuple[Counted, list[Record], list[Reject]]:
    """What the spools hold in the end."""
    records, rejects = folder / "good", folder / "bad"
    sink = Sink(Rejects(SpoolWriter(rejects, 1), max_rejects), SpoolWriter(records, 1))
    with write(folder, content).open("rb") as file:
        validator = ItemValidator(file, len(content), sink)
        while not validator.step()[1]:
            continue
    assert sink.spool is not None
    counted = Counted(validator.records, validator.rejected, sink.spool.finish(), sink.rejects.finish())
    rows = [named(line.row) for batch in batches(records, rows=3) for line in batch.accepted]
    bad = [Reject.model_validate_json(line) for chunk in chunks(rejects, 0, rows=3) for line in chunk.lines]
    return counted, rows, bad


def named(row: bytes) -> Record:
    return LegacyItem.of(json.loads(row))._asdict()


def rejected(folder: Path, bad: object) -> Reject:
    """The one reject of a file that has a good record before and after it."""
    content = b"[%b, %b, %b]" % (
        json.dumps(record()).encode(),
        bad if isinstance(bad, bytes) else json.dumps(bad).encode(),
        json.dumps(record()).encode(),
    )
    findings, rows, rejects = validated(folder, content)
    assert (findings.records, findings.rejected, len(rows)) == (3, 1, 2)
    [reject] = rejects
    assert reject.position == 1
    assert reject.path == "[1]"
    return reject


def test_good_records_are_spooled_to_the_character(tmp_path: Path) -> None:
    findings, rows, rejects = validated(tmp_path, lowdb(list(FIVE)))
    assert rejects == []
    assert (findings.records, findings.rejected) == (5, 0)
    names = {"createdAt": "created_at", "updatedAt": "updated_at"}
    for row, source in zip(rows, FIVE, strict=True):
        assert row.pop("legacy") is None
        assert row == {names.get(name, name): value for name, value in source.items()}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": ...}, "id"),
        ({"id": 42}, "id"),
        ({"id": ""}, "id"),
        ({"id": "x" * 513}, "id"),
        ({"id": "a\0b"}, "id"),
        ({"title": ...}, "title"),
        ({"title": " \n\t"}, "title"),
        ({"title": "a\ud800b"}, "title"),
        ({"title": None}, "title"),
        ({"description": ""}, "description"),
        ({"description": ["x"]}, "description"),
        ({"description": "a\0"}, "description"),
        ({"category": "outra"}, "category"),
        ({"category": ...}, "category"),
        ({"priority": "urgent"}, "priority"),
        ({"status": "NEW"}, "status"),
        ({"status": None}, "status"),
        ({"tags": "ui"}, "tags"),
        ({"tags": ["ui", 1]}, "tags.1"),
        ({"tags": ["a\0"]}, "tags.0"),
        ({"tags": None}, "tags"),
        ({"createdAt": ...}, "createdAt"),
        ({"createdAt": "yesterday"}, "createdAt"),
        ({"createdAt": "2025-02-30T00:00:00.000Z"}, "createdAt"),
        ({"createdAt": 1761259524940}, "createdAt"),
        ({"createdAt": "2025-10-23T25:00:00.000Z"}, "createdAt"),
        ({"updatedAt": "never"}, "updatedAt"),
        ({"updatedAt": 5}, "updatedAt"),
        ({"extra": "a\0b"}, "extra"),
        ({"extra": {"deep": ["\udfff"]}}, "extra"),
    ],
)
def test_a_bad_field_is_named(tmp_path: Path, changes: Record, field: str) -> None:
    reject = rejected(tmp_path, record(**changes))
    assert [error.field for error in reject.errors] == [field]
    assert reject.reason == f"{field}: {reject.errors[0].message}"


@pytest.mark.parametrize("value", [None, 1, "text", [], True])
def test_what_is_not_an_object_is_rejected(tmp_path: Path, value: object) -> None:
    assert json.loads(rejected(tmp_path, value).record) == value


def test_all_bad_fields_are_named_at_once(tmp_path: Path) -> None:
    reject = rejected(tmp_path, record(title="", category="x", tags=5))
    assert [error.field for error in reject.errors] == ["title", "category", "tags"]


def test_later_records_with_the_same_id_are_rejected(tmp_path: Path) -> None:
    content = lowdb([record(id="a"), record(id="b"), record(id="a", title="other"), record(id="a")])
    findings, rows, rejects = validated(tmp_path, content)
    assert [row["id"] for row in rows] == ["a", "b"]
    assert findings.rejected == 2
    assert [(each.path, each.reason) for each in rejects] == [
        ("items[2]", "id: is already used by items[0]"),
        ("items[3]", "id: is already used by items[0]"),
    ]


def test_the_id_of_a_rejected_record_is_still_free(tmp_path: Path) -> None:
    _, rows, rejects = validated(tmp_path, lowdb([record(id="a", title=""), record(id="a")]))
    assert len(rows) == len(rejects) == 1


@pytest.mark.parametrize(
    ("inserted", "message"),
    [
        (b'"title": "other"', 'The key "title" is present twice'),
        (b'"size": NaN', "NaN is not a JSON number"),
        (b'"size": 1e999', "1e999 is too large"),
        (b'"size": ' + b"1" * 5000, "too many digits"),
    ],
)
def test_doubtful_json_is_rejected_with_the_text_of_the_source(
    tmp_path: Path, inserted: bytes, message: str
) -> None:
    text = json.dumps(record())[:-1].encode() + b", " + inserted + b"}"
    reject = rejected(tmp_path, text)
    assert any(error.field == "record" and message in error.message for error in reject.errors)
    kept = json.loads(reject.record, parse_int=str) if b"NaN" not in inserted else json.loads(reject.record)
    assert (kept if isinstance(kept, str) else reject.record).encode() == text


def test_a_reject_survives_being_stored(tmp_path: Path) -> None:
    """NUL and lone surrogates, which PostgreSQL cannot hold, are escapes in the ASCII text."""
    bad = record(title="a\0b", note="é🎉", **{"lone\ud800": "\udc00"})
    reject = rejected(tmp_path, bad)
    assert reject.record.isascii()
    assert "\0" not in reject.record
    assert json.loads(reject.record) == bad
    (reject.reason + "".join(each.field + each.message for each in reject.errors)).encode()


def test_a_reject_is_one_line(tmp_path: Path) -> None:
    _, _, [reject] = validated(tmp_path, lowdb([{"title": "a  b\n\tc", "ç": [1, 2.50]}]))
    assert "\n" not in reject.record
    assert json.loads(reject.record) == {"title": "a  b\n\tc", "ç": [1, 2.5]}


def test_the_ascii_line_means_the_same() -> None:
    text = '{"a":\t"x  y",\r\n   "🎉\u2028": ["\x7f", NaN]}'
    assert json.loads(as_ascii_line(text)) == '{"a": "x  y", "\\ud83c\\udf89\\u2028": ["\x7f", NaN]}'


def test_stops_as_soon_as_there_are_too_many_rejects(tmp_path: Path) -> None:
    findings, _, rejects = validated(tmp_path, lowdb([record(title="")] * 50), max_rejects=3)
    assert findings.rejected == len(rejects) == 4
    assert findings.records == 4


def test_exactly_as_many_rejects_as_allowed_are_fine(tmp_path: Path) -> None:
    findings, rows, _ = validated(tmp_path, lowdb([record(title="")] * 3 + [record()]), max_rejects=3)
    assert (findings.rejected, len(rows)) == (3, 1)


@pytest.mark.parametrize(
    ("spelling", "stored"),
    [
        ("2025-10-23T22:45:24.940123Z", "2025-10-23T22:45:24.940Z"),
        ("2025-10-23T22:45:24Z", "2025-10-23T22:45:24.000Z"),
        ("2025-10-23T19:45:24.940-03:00", "2025-10-23T22:45:24.940Z"),
        ("2025-10-23", "2025-10-23T00:00:00.000Z"),
    ],
)
def test_other_spellings_of_a_timestamp_are_kept_beside_it(
    tmp_path: Path, spelling: str, stored: str
) -> None:
    _, [row], _ = validated(tmp_path, lowdb([record(createdAt=spelling)]))
    assert row["created_at"] == stored
    assert json.loads(str(row["legacy"]))["spelling"] == {"createdAt": spelling}


def test_unknown_fields_are_kept(tmp_path: Path) -> None:
    _, [row], _ = validated(tmp_path, lowdb([record(votes=3, meta={"ç": [None, 1.5]})]))
    assert json.loads(str(row["legacy"]))["fields"] == {"votes": 3, "meta": {"ç": [None, 1.5]}}


def test_tags_and_update_may_be_absent(tmp_path: Path) -> None:
    _, [row], rejects = validated(tmp_path, lowdb([record(tags=..., updatedAt=...)]))
    assert rejects == []
    assert row["tags"] == []
    assert row["updated_at"] is None
    assert json.loads(str(row["legacy"])) == {"absent": ["tags", "updatedAt"]}


def test_an_unknown_field_is_kept_when_a_known_one_is_absent(tmp_path: Path) -> None:
    _, [row], _ = validated(tmp_path, lowdb([record(tags=..., votes=3)]))
    assert json.loads(str(row["legacy"])) == {"fields": {"votes": 3}, "absent": ["tags"]}


def test_the_same_file_gives_the_same_spools(tmp_path: Path) -> None:
    content = lowdb([*many(300), record(title="", id="x"), "bad"])
    first, _, _ = validated(tmp_path, content)
    second, _, _ = validated(tmp_path, content)
    assert first.spool_sha256 == second.spool_sha256
    assert first.rejects_sha256 == second.rejects_sha256


def test_digests_tell_different_records_apart(tmp_path: Path) -> None:
    variants = [
        record(id="x"),
        record(id="x", tags=[]),
        record(id="x", title="Outra"),
        record(id="x", votes=1),
    ]
    digests = set()
    for variant in variants:
        validated(tmp_path, lowdb([variant]))
        [batch] = batches(tmp_path / "good", rows=2)
        digests.add(batch.records[0].digest)
    assert len(digests) == len(variants)


@pytest.mark.parametrize("name", [".", "absent.json"])
def test_what_is_not_a_file_is_refused(tmp_path: Path, name: str) -> None:
    arguments = FileArguments(source="lowdb", filename=name, path=str(tmp_path / name))
    source = LowDbSource(arguments, tmp_path)
    with pytest.raises(SourceUnavailable):
        source.validator("items", Sink(Rejects(None)), 0)


def test_a_spool_is_cut_into_batches_at_any_line(tmp_path: Path) -> None:
    validated(tmp_path, lowdb(many(10)))
    whole = [line for batch in chunks(tmp_path / "good", 0, rows=100) for line in batch.lines]
    cut = list(chunks(tmp_path / "good", 0, rows=3))
    assert [len(batch.lines) for batch in cut] == [1 + 3, 3, 3, 1 + 1], "head and tail are no rows"
    for number, batch in enumerate(cut):
        rest = [line for later in chunks(tmp_path / "good", batch.end, rows=4) for line in later.lines]
        assert rest == whole[1 + (number + 1) * 3 :] or batch is cut[-1]


def test_large_lines_make_small_batches(tmp_path: Path) -> None:
    validated(tmp_path, lowdb([record(title="t", description="é" * 1_048_576) for _ in range(5)]))
    assert [len(batch.lines) for batch in chunks(tmp_path / "good", 0, rows=100)] == [1 + 2, 2, 1 + 1]


def test_seen_ids_are_exact_while_the_table_grows() -> None:
    seen = SeenIds()
    names = [f"id {number}" for number in range(50_000)]
    assert all(seen.add(name, place) is None for place, name in enumerate(names))
    assert [seen.add(name, 0) for name in names] == list(range(50_000))
    assert seen.add("another", 7) is None
    assert len(seen) == 50_001
