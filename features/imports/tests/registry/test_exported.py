"""CSV as QuestDB's `/exp` writes it, with values that try to be something else."""

import asyncio
import json
from contextlib import closing
from pathlib import Path

import pytest

from features.imports.errors import SourceMalformed, SourceUnavailable
from features.imports.registry.capture import LARGEST_ROW, Capture, Row, read
from features.imports.registry.exported import pages_of, tables_in
from features.imports.registry.tables import IDEAS, SYSTEMS
from features.imports.tests.registry.factories import TABLES, csv, export, idea

HOSTILE = (
    "plain",
    "",
    'with "quotes", commas, and a last one"',
    "two\r\nlines\nand a third\r",
    "emoji 🎉 and ção",
    "=1+1",
    ",",
    '"',
    "\\n is not a line break",
    "null",
    "\ufeff mark",
    "a\x00b",
    "x" * 200_000,
)


def captured(folder: Path, content: bytes) -> list[Row]:
    (folder / f"{IDEAS}.csv").write_bytes(content)

    async def capture_all() -> None:
        with closing(Capture(folder, IDEAS)) as capture:
            async for page in pages_of(folder):
                capture.add(page.lines, lambda table, rows: None)
            capture.finish()

    asyncio.run(capture_all())
    return list(read(folder, IDEAS))


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:30])
def test_a_value_comes_as_it_was(value: str, tmp_path: Path) -> None:
    rows = [idea(id="1", title=value), idea(id="2", description=value, tags=value)]
    found = captured(tmp_path, csv(rows, TABLES[IDEAS]))
    assert [row.fault for row in found] == [None, None]
    first, second = (row.values for row in found)
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert (first["title"], second["description"], second["tags"]) == (value, value, value)


def test_nothing_is_null_and_an_empty_text_is_empty(tmp_path: Path) -> None:
    [row] = captured(tmp_path, b'"id","a","b","c"\r\n"1",,"",true\r\n')
    assert row.values == {"id": "1", "a": None, "b": "", "c": "true"}


def test_marks_line_ends_and_blank_lines_do_not_matter(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf"id","a"\n"1","x"\n\r\n"2","y"'
    assert [row.values for row in captured(tmp_path, content)] == [
        {"id": "1", "a": "x"},
        {"id": "2", "a": "y"},
    ]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b'"2"', "the line has 1 columns, the header has 2"),
        (b'"2","x","y"', "the line has 3 columns, the header has 2"),
        (b'"2","x"y""', "the line is not CSV: its quotes are out of place"),
        (b'"2",x"y"', "the line is not CSV: its quotes are out of place"),
        (b'"2","\xff\xfe"', "the line is not UTF-8"),
    ],
)
def test_a_bad_line_is_one_bad_row(line: bytes, fault: str, tmp_path: Path) -> None:
    found = captured(tmp_path, b'"id","a"\r\n"1","x"\r\n' + line + b'\r\n"3","z"\r\n')
    assert [row.fault for row in found] == [None, fault, None]
    assert isinstance(found[1].values, str)
    assert '"2"' in found[1].values


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", 'has no header line with a column "id"'),
        (b'{"query":"x","error":"table does not exist"}', 'has no header line with a column "id"'),
        (b'"id";"name"\r\n', 'has no header line with a column "id"'),
        (b'"id","a","a"\r\n', 'has the column "a" twice'),
        (b'\xff"id"\r\n', 'has no header line with a column "id"'),
        (b'"id","a"\r\n"1","x\r\n2,y', "ends inside of double quotes"),
        (b'"id"\r\n"' + b"x" * (LARGEST_ROW + 2), "has a line of more than"),
    ],
)
def test_what_is_no_export_is_refused_whole(content: bytes, problem: str, tmp_path: Path) -> None:
    with pytest.raises(SourceMalformed, match=problem):
        captured(tmp_path, content)


def test_a_header_alone_is_an_empty_table(tmp_path: Path) -> None:
    assert captured(tmp_path, csv([], TABLES[IDEAS])) == []


def test_missing_files_are_allowed_but_not_all_of_them(tmp_path: Path) -> None:
    folder = export(tmp_path / "old", ideas=[idea()])
    assert list(tables_in(folder)) == [IDEAS]
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceUnavailable, match=f"has none of {SYSTEMS}.csv"):
        tables_in(tmp_path / "empty")
    with pytest.raises(SourceUnavailable, match="does not exist"):
        tables_in(tmp_path / "nowhere")


def test_what_is_captured_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    captured(tmp_path, csv([idea(id="1")], TABLES[IDEAS]))
    path = tmp_path / f"{IDEAS}.captured"
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_bytes())[1]["id"] == "1"
