"""Imports of spreadsheets are imports: again, since the last time, back, killed, exported, by command."""

import io
import os
import uuid
import zipfile
from pathlib import Path

import httpx
import pytest

from features.imports.tests.conftest import Held
from features.imports.tests.factories import IMPORTS, ended, undone
from features.imports.tests.spreadsheets import EXPORTS, ITEMS, LISTS, imported, rows
from tests.fixtures.commands import Handover, StartCommand
from tests.fixtures.database import Connection
from tests.fixtures.waiting import wait_for


async def test_the_same_file_brings_nothing_twice_and_another_one_new_rows(client: httpx.AsyncClient) -> None:
    await imported(client, ITEMS)
    [first] = await rows(client)
    assert uuid.UUID(first["id"]).version == 5
    again = (await imported(client, ITEMS))["result"]
    assert (again["imported"], again["kept"], again["differing"], again["verified"]) == (0, 1, 0, 1)
    refused = await imported(client, ITEMS, on_conflict="fail")
    assert refused["error"].startswith("1 rows exist already")
    other = (await imported(client, f"{ITEMS}Print,A board,dashboard,low\n"))["result"]
    assert (other["imported"], len(await rows(client))) == (2, 3)


async def test_rows_keep_what_the_file_has_no_column_for(client: httpx.AsyncClient) -> None:
    body = {"title": "t", "description": "d", "category": "dashboard", "priority": "low", "tags": ["a"]}
    item = (await client.post("/api/items", json=body)).json()["data"]
    content = (
        f"id,title,description,category,priority\n{item['id']},new,d,dashboard,low\n,n,d,dashboard,low\n"
    )
    result = (await imported(client, content, on_conflict="overwrite"))["result"]
    assert (result["imported"], result["updated"], result["verified"]) == (1, 1, 2)
    changed = (await client.get(f"/api/items/{item['id']}")).json()["data"]
    assert changed == {**item, "title": "new"}


async def test_since_last_goes_by_the_ids_of_the_file(client: httpx.AsyncClient) -> None:
    line = "{},{},d,dashboard,low\n"
    head = "id,title,description,category,priority\n"
    await imported(client, head + line.format("a", "A") + line.format("b", "B") + line.format("c", "C"))
    await client.put("/api/items/b", json={"title": "here"})
    changed = head + line.format("a", "A2") + line.format("b", "B2") + line.format("d", "D")
    told = (await imported(client, changed, since_last="true", dry_run="true"))["result"]["sinceLast"]
    result = (await imported(client, changed, since_last="true"))["result"]["sinceLast"]
    assert told == result
    counts = {name: result[name] for name in ("new", "changed", "conflicts", "vanished")}
    assert counts == {"new": 1, "changed": 1, "conflicts": 1, "vanished": 1}
    assert [row["title"] for row in await rows(client)] == ["A2", "C", "D", "here"]


async def test_it_can_be_looked_at_first_and_taken_back(client: httpx.AsyncClient) -> None:
    dry = await imported(client, f"{ITEMS},x,dashboard,low\n", dry_run="true")
    assert (dry["result"]["records"], dry["result"]["existing"]) == (2, 0)
    assert dry["result"]["rejects"] == [{"path": "line 3", "reason": "title: is required"}]
    assert await rows(client) == []
    job = await imported(client, ITEMS)
    [told] = (await client.get(IMPORTS, params={"limit": 1})).json()["data"]
    assert (told["source"], told["filename"], told["undoable"]) == ("csv", "ours.csv", True)
    assert (await undone(client, job["id"]))["result"]["deleted"] == 1
    assert await rows(client) == []


@pytest.mark.parametrize("into", LISTS)
async def test_what_a_list_exports_comes_in_again(client: httpx.AsyncClient, into: str) -> None:
    system = {"name": "=cmd", "description": "a\r\nb", "status": "online", "category": "ops", "port": 80}
    system |= {
        "metadata": {"b": [1.5, None]},
        "tags": ["x,y", "z"],
        "type": "api",
        "url": "http://127.0.0.1/",
    }
    system_id = (await client.post(LISTS["systems"], json=system)).json()["data"]["id"]
    item = {"title": "+1", "description": "d", "category": "dashboard", "priority": "low", "tags": ["ü"]}
    idea = {**item, "category": "docs", "systemId": system_id, "estimatedHours": 2.5, "dueDate": "2026-01-01"}
    for path, body in (("items", item), ("ideas", idea)):
        assert (await client.post(LISTS[path], json=body)).status_code == 201
    answer = await client.post(EXPORTS, params={"form": "csv", "list": into})
    job = await ended(client, answer.json()["data"]["id"])
    content = (await client.get(f"{EXPORTS}/{job['id']}/download")).content
    before = await rows(client, into)
    same = (await imported(client, content, into, on_conflict="overwrite"))["result"]
    assert (same["unchanged"], same["verified"]) == (1, 1)
    assert (await client.delete(f"{LISTS[into]}/{before[0]['id']}")).status_code == 200
    assert (await imported(client, content, into))["result"]["imported"] == 1
    assert await rows(client, into) == before


async def test_an_old_registry_gets_its_rows_in_its_own_words(client: httpx.AsyncClient) -> None:
    await imported(
        client, "title,description,category,priority,status\nA,d,api,critical,completed\n", "ideas"
    )
    answer = await client.post(EXPORTS, params={"form": "registry"})
    job = await ended(client, answer.json()["data"]["id"])
    assert (job["result"]["added"], job["result"]["unchanged"]) == (1, 0)
    content = (await client.get(f"{EXPORTS}/{job['id']}/download")).content
    lines = zipfile.ZipFile(io.BytesIO(content)).read("documentation_ideas.csv").decode()
    assert '"done","bug_fix","urgent"' in lines


@pytest.mark.slow
async def test_a_killed_import_is_carried_on_without_the_file(
    start_command: StartCommand, handover: Handover, held_at: Held, connection: Connection, tmp_path: Path
) -> None:
    path = tmp_path / "ours.csv"
    head, line = ITEMS.splitlines(keepends=True)
    path.write_text(f"id,{head}" + "".join(f"{number},{line}" for number in range(100)))
    arguments = ("import", "csv", str(path), "--into", "items")
    async with held_at("55") as waiting:
        running = await start_command(*arguments, environment={"IMPORT_BATCH_ROWS": "10"})
        await wait_for(waiting, 30)
        running.process.kill()
        await running.finish()
    path.write_text(ITEMS)
    outcome = await handover(*arguments)
    assert outcome.code == 0, outcome.out
    assert "(import.csv) has lost its process and is carried on first." in outcome.out
    states = await connection.fetch("SELECT state, error FROM jobs ORDER BY created_at")
    assert [row["state"] for row in states] == ["failed", "succeeded"], "the file is another one now"


async def test_the_command_tells_what_it_left_out(handover: Handover, tmp_path: Path) -> None:
    path = tmp_path / "ours.csv"
    path.write_text(
        ITEMS.replace("title", "Name, short").replace("Name, short", '"Name, short"') + "a,b,dashboard,no\n"
    )
    arguments = ("import", "csv", "ours.csv", "--into", "items")
    refused = await handover(*arguments)
    assert refused.code == 1
    assert refused.err.splitlines()[-1].startswith("handover: No column is mapped to title; the file has")
    wrong = await handover(*arguments, "--map", "title")
    assert wrong.code == 2
    assert "title=Name" in wrong.err
    fields = (
        "--map",
        "title=Name, short,description=description,category=category",
        "--map",
        "priority=priority",
    )
    dry = await handover(*arguments, *fields, "--dry-run")
    assert (dry.code, "line 3: priority: must be one of" in dry.out) == (0, True)
    outcome = await handover(*arguments, *fields)
    assert outcome.code == 0, outcome.err
    assert "Import of ours.csv succeeded" in outcome.out
    assert "Columns: title from Name, short, category, priority, description\n" in outcome.out
    assert "line 3: priority: must be one of" in outcome.out
    assert "With their records: GET" in outcome.out
    again = await handover("import", "csv", "ours.csv", "--into", "ideas", *fields)
    assert again.code == 0


async def test_a_name_that_a_terminal_would_run_is_shown_without_it(
    handover: Handover, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    name = "\x1b[31mo\nurs\u202e.csv"
    (tmp_path / name).write_text(ITEMS)
    outcome = await handover("import", "csv", name, "--into", "items")
    assert (outcome.code, "Import of [31mours.csv succeeded" in outcome.out) == (0, True), outcome.err
    [listed] = (await client.get(IMPORTS)).json()["data"]
    assert listed["filename"] == "[31mours.csv"
    for wrong, told in (
        (f"{name}.no", r"\x1b[31mo\nurs\u202e.csv.no does not exist"),
        (os.fsdecode(b"ours\xff.csv"), r"ours\udcff.csv is not a path in UTF-8; rename it"),
    ):
        refused = await handover("import", "csv", wrong, "--into", "items")
        assert (refused.code, refused.err.splitlines()[-1]) == (1, f"handover: {told}")
