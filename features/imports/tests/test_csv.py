"""Spreadsheets come in: CSV of any shape, mapped to the fields of a list and judged as new rows of it."""

import csv
import io

import httpx
import pytest

from features.imports.tests.factories import IMPORTS, ended
from features.imports.tests.spreadsheets import ITEMS, LISTS, imported, post, rejects, rows
from tests.fixtures.database import Connection


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "marked"])
async def test_any_shape_is_read(client: httpx.AsyncClient, separator: str, ending: str, mark: bytes) -> None:
    lines = [
        ("Titel", "Text", "category", "priority", "Etiketten", ""),
        (f'"Größe{separator} ""wide"""', f'"two{ending}lines"', "dashboard", "low", '"ui, ux"', ""),
        ("", "", "", "", "", ""),
        ('="0042"', "'=1+1", "analise-dados", "high", '"[""a,b""]"', ""),
        ("short", "row", "dashboard", "low"),
    ]
    content = mark + ending.join(map(separator.join, lines)).encode()
    fields = "title=Titel,description=Text,category=category,priority=priority,tags=Etiketten"
    job = await imported(client, content, map=fields)
    assert job["state"] == "succeeded", job
    assert (job["result"]["imported"], job["result"]["verified"], job["rejected"]) == (3, 3, 0)
    found = [(row["title"], row["description"], row["tags"], row["status"]) for row in await rows(client)]
    assert found == [
        ("0042", "=1+1", ["a,b"], "new"),
        (f'Größe{separator} "wide"', f"two{ending}lines", ["ui", "ux"], "new"),
        ("short", "row", [], "new"),
    ]


async def test_a_first_line_may_name_the_separator(client: httpx.AsyncClient) -> None:
    job = await imported(client, "sep=|\r\n" + ITEMS.replace(",", "|") + "x|y|z|low\r\n")
    assert job["result"]["imported"] == 1
    assert [each["path"] for each in await rejects(client, job)] == ["line 4"]


async def test_columns_called_as_fields_map_themselves_and_others_are_named(
    client: httpx.AsyncClient, connection: Connection
) -> None:
    system = {"name": "Orders", "description": "d", "status": "online"}
    system_id = (await client.post(LISTS["systems"], json=system)).json()["data"]["id"]
    content = (
        "Title;description;CATEGORY;priority;status;System ID;estimated_hours;Due date;created_at;Votes\n"
        f"Pages;One page;docs;high;completed;{system_id};2,5;2026-03-01;2025-10-23T10:00Z;7\n"
    )
    job = await imported(client, content, "ideas")
    assert job["state"] == "succeeded", job
    assert job["arguments"]["unknown"] == job["result"]["unknown"] == ["Votes"]
    assert job["arguments"]["into"] == "ideas"
    [idea] = await rows(client, "ideas")
    shown = {name: idea[name] for name in ("systemId", "estimatedHours", "dueDate", "createdAt", "status")}
    assert shown == {
        "systemId": system_id,
        "estimatedHours": 2.5,
        "dueDate": "2026-03-01T00:00:00.000Z",
        "createdAt": "2025-10-23T10:00:00.000Z",
        "status": "completed",
    }
    assert "completedAt" in idea
    [entry] = await connection.fetch("SELECT * FROM audit_entries WHERE action = 'imported'")
    assert (entry["entity"], entry["entity_id"]) == ("idea", job["id"])


@pytest.mark.parametrize(
    ("content", "fields", "told"),
    [
        (
            "Name,Text,Art\n",
            {"map": "title=Name,description=Text"},
            "No column is mapped to category, priority; the file has Name, Text, Art: map them, as in "
            "category=Name",
        ),
        ("Name\n", {}, "No column is mapped to title, description, category, priority; the file has Name"),
        (ITEMS, {"map": "title=Name"}, "The file has no column Name; its columns are title, description"),
        (ITEMS, {"map": "colour=title"}, "items have no field colour; it must be one of id, title, desc"),
        ("title,title\n", {}, "The file has more than one column title"),
        (ITEMS, {"since_last": "true"}, "What has changed since the last import is known by ids"),
        ("title,Title\n", {}, "title would be title and Title; map one of them"),
    ],
)
async def test_columns_that_do_not_make_a_row_are_refused_before_there_is_a_job(
    client: httpx.AsyncClient, content: str, fields: dict[str, str], told: str
) -> None:
    answer = await post(client, content, **fields)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(told)
    assert answer.json()["details"][0]["field"] == "map"
    assert (await client.get("/api/v1/jobs")).json()["data"] == []


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"into": ""}, "into", "is required with source=csv: items, ideas, systems"),
        ({"into": "files"}, "into", "must be 'items', 'ideas' or 'systems'"),
        ({"map": "=b"}, "map", "must be like title=Name,priority=Rank, each field once"),
        ({"map": "title"}, "map", "must be like title=Name,priority=Rank, each field once"),
        ({"map": "title=a,title=b"}, "map", "must be like title=Name,priority=Rank, each field once"),
        ({"source": "lowdb"}, "into", "goes with source=csv only; leave it out"),
    ],
)
async def test_options_that_cannot_be_meant_are_refused_by_field(
    client: httpx.AsyncClient, fields: dict[str, str], field: str, message: str
) -> None:
    answer = await post(client, ITEMS, **fields)
    assert answer.status_code == 400
    [told] = answer.json()["details"]
    assert told["field"] == field
    assert message in told["message"] or told["message"] == "must be one of 'items', 'ideas' or 'systems'"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            ITEMS.encode() + "Größe".encode("cp1252"),
            'not UTF-8 but probably Windows-1252; save it as "CSV UTF-8"',
        ),
        (ITEMS.encode("utf-16"), 'The file is not UTF-8 but UTF-16; save it as "CSV UTF-8" (byte 0)'),
        (b"\n\n", "The file does not begin with a line of column names"),
        (ITEMS.encode() + b'a,"b', "A double quote in the record on line 3 is never closed (byte 73)"),
    ],
)
async def test_what_is_no_csv_is_told_with_the_byte(
    client: httpx.AsyncClient, content: bytes, told: str
) -> None:
    answer = await post(client, content)
    message = answer.json()["message"]
    if answer.status_code == 202:
        message = (await ended(client, answer.json()["data"]["id"]))["error"]
    assert told in message
    assert await rows(client) == []


async def test_bad_rows_are_named_by_line_and_by_the_columns_of_the_file(client: httpx.AsyncClient) -> None:
    content = (
        "Name,Text,Where,Port\n"
        'a,"two\nlines",online,1\n'
        ",text,gone,99999\n"
        "b,text,online,1,more\n"
        'c,"x"y,online,1\n'
        "a,text,online,\n"
        "taken,text,online,\n"
    )
    await client.post(LISTS["systems"], json={"name": "taken", "description": "d", "status": "online"})
    job = await imported(client, content, "systems", map="name=Name,description=Text,status=Where,port=Port")
    assert (job["result"]["records"], job["result"]["imported"], job["rejected"]) == (6, 1, 5)
    found = await rejects(client, job)
    assert [(each["path"], each["reason"]) for each in found] == [
        (
            "line 4",
            "Port: must be at most 65535; Name: is required; "
            "Where: must be one of 'online', 'degraded', 'offline' or 'planned'",
        ),
        ("line 5", "row: the line has 5 cells, the header has 4"),
        ("line 6", "row: the line is not CSV: its quotes are out of place"),
        ("line 7", "Name: is already used on line 2"),
        ("line 8", "Name: is already used here"),
    ]
    assert found[0]["record"] == {"Name": "", "Text": "text", "Where": "gone", "Port": "99999"}
    assert found[2]["record"] == 'c,"x"y,online,1\n'


async def test_a_system_that_does_not_exist_is_told(client: httpx.AsyncClient) -> None:
    content = (
        ITEMS.replace("dashboard", "docs").replace("priority", "priority,systemId").replace("low", "low,no")
    )
    job = await imported(client, content, "ideas")
    [reject] = await rejects(client, job)
    assert (reject["path"], reject["reason"]) == ("line 2", "systemId: names none of the systems")


async def test_rejects_come_as_a_sheet_that_can_be_mended_and_imported(client: httpx.AsyncClient) -> None:
    content = (
        "Name,Text,category,priority,Votes\n"
        "a,'=1+1,dashboard,none,7\n"
        'b,"two\nlines",dashboard,low,\n'
        "c,text,nowhere\n"
        'd,"x"y,dashboard,low,\n'
    )
    fields = {"map": "title=Name,description=Text,category=category,priority=priority"}
    job = await imported(client, content, **fields)
    assert job["result"]["imported"] == 1
    answer = await client.get(f"{IMPORTS}/{job['id']}/rejects", params={"form": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="rejects.csv"'
    lines = list(csv.reader(io.StringIO(answer.text)))
    assert lines[0] == ["path", "reason", "Name", "Text", "category", "priority", "Votes", "record"]
    assert [line[0] for line in lines[1:]] == ["line 2", "line 5", "line 6"]
    assert lines[1][2:] == ["a", "'=1+1", "dashboard", "none", "7", ""]
    assert lines[2][2:] == ["c", "text", "nowhere", "", "", ""]
    assert lines[3][-1] == 'd,"x"y,dashboard,low,\n'
    mended = answer.text.replace("none", "high").replace("nowhere,", "dashboard,low")
    again = await imported(client, mended, **fields)
    assert (again["result"]["imported"], again["rejected"]) == (2, 1)
    assert [row["description"] for row in await rows(client)] == ["=1+1", "two\nlines", "text"]
    wrong = await client.get(f"{IMPORTS}/{job['id']}/rejects", params={"form": "xlsx"})
    assert (wrong.status_code, wrong.json()["details"][0]["field"]) == (400, "form")


async def test_columns_that_the_map_does_not_name_are_taken_as_they_are_called(
    client: httpx.AsyncClient,
) -> None:
    content = "Name,description,category,Priority,status,Tags,Votes\na,d,dashboard,low,Done,x,7\n"
    job = await imported(client, content, map="title=Name,status=")
    assert job["state"] == "succeeded", job
    fields = ("title", "description", "category", "priority", "tags")
    assert job["arguments"]["map"] == dict(
        zip(fields, ("Name", "description", "category", "Priority", "Tags"), strict=True)
    )
    assert job["result"]["unknown"] == ["status", "Votes"]
    [row] = await rows(client)
    assert (row["priority"], row["tags"], row["status"]) == ("low", ["x"], "new")


async def test_a_column_that_is_mapped_is_not_taken_for_the_field_of_its_name_too(
    client: httpx.AsyncClient,
) -> None:
    content = "title,description,category,priority\na,d,dashboard,low\n"
    answer = await post(client, content, map="title=description")
    assert answer.json()["message"].startswith("No column is mapped to description; the file has title, desc")
    job = await imported(client, content, map="title=description,description=title")
    assert job["result"]["unknown"] == []
    [row] = await rows(client)
    assert (row["title"], row["description"]) == ("d", "a")


async def test_a_map_may_name_the_columns_of_a_wide_sheet_and_a_longer_one_is_named(
    client: httpx.AsyncClient,
) -> None:
    names = {field: f"{field} {'x' * 1500}" for field in ("title", "description", "category", "priority")}
    fields = ",".join(f"{field}={name}" for field, name in names.items())
    job = await imported(client, f"{','.join(names.values())}\na,d,dashboard,low\n", map=fields)
    assert (job["result"]["imported"], job["arguments"]["map"]) == (1, names)
    answer = await post(client, ITEMS, map="x" * 40_000)
    assert answer.status_code == 400
    assert answer.json()["details"] == [{"field": "map", "message": "is longer than 32768 bytes"}]


async def test_a_dry_run_shows_the_first_rows_as_they_would_come_in(client: httpx.AsyncClient) -> None:
    lines = "".join(f"{number},{'d' * 300},docs,low,2;5\n" for number in range(9))
    content = "title,description,category,priority,Tags\n,bad,docs,low,\n" + lines
    job = await imported(client, content, "ideas", dry_run="true")
    shown = job["result"]["firstRows"]
    assert [row["title"] for row in shown] == ["0", "1", "2", "3", "4"]
    assert (shown[0]["tags"], shown[0]["description"]) == ('["2", "5"]', "d" * 200)
    assert "firstRows" not in (await imported(client, content, "ideas"))["result"]


@pytest.mark.parametrize("content", [b"PK\x03\x04rest", b"\xd0\xcf\x11\xe0\xa1\xb1"], ids=["xlsx", "xls"])
async def test_a_workbook_is_refused_with_what_to_do(client: httpx.AsyncClient, content: bytes) -> None:
    answer = await post(client, content)
    told = 'The file is a workbook of a spreadsheet program, not CSV; save it as "CSV UTF-8" (byte 0)'
    assert (answer.status_code, answer.json()["message"]) == (400, told)
