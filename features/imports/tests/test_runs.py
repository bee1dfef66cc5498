"""Records that are validated many at once are validated as they are one by one."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from features.imports.errors import SourceMalformed
from features.imports.lowdb import reader
from features.imports.lowdb import validator as lowdb_validator
from features.imports.lowdb.reader import LowDbReader
from features.imports.lowdb.validator import ItemValidator
from features.imports.pipeline.identifiers import SeenIds
from features.imports.pipeline.validator import Rejects, Sink
from features.imports.storage.writer import SpoolWriter
from features.imports.tests.factories import FIVE, Record, lowdb, many, write

COUNT: Final = 60
MIDDLE: Final = COUNT // 2
SOME_RECORDS: Final = 4000
"""Characters of about ten records."""

MARGINS: Final = ("  ", "    ")

VALUES: Final[Sequence[Record]] = (
    {"category": "outra"},
    {"title": " \n\t"},
    {"title": "t" * 201},
    {"title": None},
    {"description": "a\0b"},
    {"status": 5},
    {"priority": ["low"]},
    {"id": ""},
    {"tags": None},
    {"tags": ["ui", 1]},
    {"tags": ["t" * 201]},
    {"tags": {"ui": "ux"}},
    {"createdAt": "2025-02-30T00:00:00.000Z"},
    {"createdAt": "2025-10-23T22:45:24Z"},
    {"createdAt": None},
    {"updatedAt": "2025-10-23T22:45:24.940Z"},
    {"updatedAt": "2025-10-23T22:45:24.940+02:00"},
    {"updatedAt": 1761259524940},
    {"updatedAt": ""},
    {"votes": 5},
    {"votes": 1.0},
)

TEXTS: Final = {
    "a key twice": '"x",\n{m}  "title": "y"',
    "a lone surrogate": r'"\ud800"',
    "a pair of surrogates": r'"\ud83c\udf89"',
    "a character written in another way": r'"\u00e9"',
    "a NUL": r'"a\u0000b"',
    "a number that is none": "NaN",
    "a number that is too large": "1e400",
    "a number with too many digits": "9" * 5000,
    "white space": '"x"  ',
    "another line break": '"x"\r',
    "a separator in a text": r'"\n{m}}},\n{m}{{"',
    "records in a record": "[{{\n{m}}},\n{m}{{\n{m}}}]",
    "a record cut in two": '"x"\n{m}}},\n{m}{{\n{m}  "id": "y"',
    "a text between records": '"x"\n{m}}},\n{m}"id",\n{m}{{\n{m}  "id": "y"',
    "no line break between records": '"x"\n{m}}},{{\n{m}  "id": "y"',
    "no comma between records": '"x"\n{m}}}\n{m}{{\n{m}  "id": "y"',
    "an object that ends too early": '"x"\n{m}}}}},\n{m}{{\n{m}  "id": "y"',
    "another list behind": '"x"\n{m}}}\n  ],\n  "history": [\n{m}{{\n{m}  "id": "y"',
    "the same list again": '"x"\n{m}}}\n  ],\n  "items": [\n{m}{{\n{m}  "id": "y"',
    "an array behind": '"x"\n{m}}}\n  ],\n  [\n{m}{{\n{m}  "id": "y"',
    "a line break in a text": '"a\nb"',
}


def laid_out(records: Sequence[Record], margin: str) -> bytes:
    """A file whose records have this margin: a bare list, or one under a name."""
    return json.dumps(records, ensure_ascii=False, indent=2).encode() if margin == "  " else lowdb(records)


def validated(folder: Path, content: bytes) -> tuple[object, ...]:
    """Everything that a validator leaves behind, or where and why it stopped."""
    folder.mkdir()
    good, bad = folder / "good", folder / "bad"
    sink = Sink(Rejects(SpoolWriter(bad, 1)), spool := SpoolWriter(good, 1))
    ids: list[str] = []
    ended = False
    with write(folder, content).open("rb") as file:
        validator = ItemValidator(file, len(content), sink)
        try:
            while not ended:
                found, ended = validator.step()
                ids += found.ids
        except SourceMalformed as error:
            return error.message, validator.records, validator.rejected, sink.rejects.samples
    spool.finish(), sink.rejects.finish()
    counts = validator.records, validator.rejected, validator.reader.sha256, validator.reader.ignored
    return counts, ids, sink.rejects.samples, good.read_bytes(), bad.read_bytes()


def both_ways(folder: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    monkeypatch.setattr(reader, "RUN_CHARACTERS", 0)
    one_by_one = validated(folder / "one by one", content)
    monkeypatch.setattr(reader, "RUN_CHARACTERS", SOME_RECORDS)
    assert validated(folder / "at once", content) == one_by_one
    return one_by_one


@pytest.fixture
def stepped_over(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many records each run had."""
    runs: list[int] = []
    original = LowDbReader.step_over

    def step_over(self: LowDbReader, text: str, records: int) -> None:
        runs.append(records)
        original(self, text, records)

    monkeypatch.setattr(LowDbReader, "step_over", step_over)
    return runs


@pytest.mark.parametrize("margin", MARGINS)
def test_most_of_a_file_is_validated_at_once(
    tmp_path: Path, margin: str, stepped_over: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = many(COUNT)
    both_ways(tmp_path, laid_out([*records[:MIDDLE], *FIVE, *records[MIDDLE:]], margin), monkeypatch)
    assert sum(stepped_over) > COUNT * 0.7


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("change", VALUES, ids=str)
def test_a_record_with_another_value(
    tmp_path: Path,
    change: Record,
    margin: str,
    stepped_over: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = many(COUNT)
    records[MIDDLE] |= change
    both_ways(tmp_path, laid_out(records, margin), monkeypatch)
    assert 0 < sum(stepped_over) < COUNT


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_record_with_another_text(
    tmp_path: Path, text: str, margin: str, stepped_over: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = many(COUNT)
    records[MIDDLE]["title"] = "HERE"
    content = laid_out(records, margin).replace(b'"HERE"', text.format(m=margin).encode())
    both_ways(tmp_path, content, monkeypatch)
    assert 0 < sum(stepped_over) < COUNT


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("first", [0, MIDDLE - 1, MIDDLE - 2])
def test_an_id_that_comes_twice(
    tmp_path: Path, first: int, margin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = many(COUNT)
    records[MIDDLE]["id"] = records[first]["id"]
    _, ids, samples, *_ = both_ways(tmp_path, laid_out(records, margin), monkeypatch)
    assert ids == [each["id"] for place, each in enumerate(records) if place != MIDDLE]
    assert f"[{first}]" in str(samples)


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("order", [(8, 7), (1, 0)])
def test_keys_in_another_order(
    tmp_path: Path, order: tuple[int, int], margin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = many(COUNT)
    fields = list(records[MIDDLE].items())
    fields[order[0]], fields[order[1]] = fields[order[1]], fields[order[0]]
    records[MIDDLE] = dict(fields)
    both_ways(tmp_path, laid_out(records, margin), monkeypatch)


def test_another_list_of_good_records_behind(
    tmp_path: Path, stepped_over: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = {"items": many(COUNT), "history": many(COUNT, seed=2)}
    content = json.dumps(lists, ensure_ascii=False, indent=2).encode()
    _, ids, *_ = both_ways(tmp_path, content, monkeypatch)
    assert ids == [each["id"] for each in lists["items"]]
    assert sum(stepped_over) > 0


def test_what_cannot_be_validated_at_once_is_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def plain_records(text: str, margin: str) -> None:
        tried.append(text)

    monkeypatch.setattr(lowdb_validator, "plain_records", plain_records)
    both_ways(tmp_path, lowdb(many(COUNT)), monkeypatch)
    assert 1 < len(tried) < COUNT / 4


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("length", [0.5, 0.501, 0.502, 0.7, 0.999])
def test_a_file_that_ends_too_early(
    tmp_path: Path, length: float, margin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = laid_out(many(COUNT), margin)
    message, *_ = both_ways(tmp_path, content[: int(len(content) * length)], monkeypatch)
    assert "[" in str(message)


def test_all_of_some_ids_are_remembered_or_none() -> None:
    seen = SeenIds()
    for start in range(0, 40_000, 500):
        ids = [str(number) for number in range(start, start + 500)]
        for again in (ids[0], ids[250], "0"):
            assert not seen.add_all([*ids, again], start)
            assert len(seen) == start
        assert seen.add_all(ids, start)
    assert [seen.find(str(number)) for number in range(40_000)] == list(range(40_000))
    assert seen.find("40000") is None
