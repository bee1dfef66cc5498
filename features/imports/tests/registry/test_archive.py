"""An old registry comes in over HTTP: a ZIP file of its CSV files and of the bytes of its files."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from features.imports.tests.factories import IMPORTS, ended, undone
from features.imports.tests.registry.archives import GUIDE, done, packed, post, registry, tables
from features.imports.tests.registry.factories import AUDIT, TABLES, entry, file, idea, system
from features.imports.tests.registry.test_live import _REAL, FILE_ID, IDEA_ID, SYSTEM_ID, fill
from tests.fixtures.database import Connection

Folders = Callable[[], list[str]]


@pytest.mark.parametrize(
    ("folder", "contents"),
    [
        ("", "uploads/guide.md"),
        ("old/", "old/files/guide.md"),
        ("old-registry/", "uploads/guide.md"),
        ("a/b/csv/", "a/b/uploads/guide.md"),
        ("old\\", "old\\uploads\\guide.md"),
    ],
    ids=["bare", "in a folder", "two folders", "deep", "as old Windows programs write it"],
)
async def test_it_comes_in_whole_however_it_is_packed(
    client: httpx.AsyncClient, import_folders: Folders, folder: str, contents: str
) -> None:
    files: dict[str, bytes] = {f"{folder}{name}": data for name, data in registry().items()}
    aside = {"__MACOSX/._old": b"x", f"{folder}.DS_Store": b"x", f"{folder}README.txt": b"x"}
    job = await done(client, packed({**files, contents: GUIDE, **aside}))
    assert job["state"] == "succeeded", job["error"]
    result = job["result"]
    assert (result["records"], result["imported"], result["verified"], result["store"]) == (
        4,
        4,
        4,
        "questdb-2",
    )
    assert (job["kind"], job["arguments"]["filename"]) == ("import.questdb", "old.zip")
    assert (await client.get("/api/v1/files/f/download")).content == GUIDE
    assert import_folders() == []
    [listed] = (await client.get(IMPORTS)).json()["data"]
    assert (listed["source"], listed["undoable"]) == ("questdb", True)


async def test_every_option_of_the_command_is_taken(client: httpx.AsyncClient) -> None:
    content = packed({**registry(), "uploads/guide.md": GUIDE})
    dry = await done(client, content, dry_run="true")
    assert (dry["result"]["records"], dry["result"]["rejected"]) == (4, 0)
    assert (await client.get("/api/v1/ideas")).json()["data"] == []
    refused = await done(client, packed(registry()), max_rejects="0")
    assert refused["error"].endswith(
        "the first is documentation_files[0]: file_path: its bytes are needed: name their folder with "
        "--files, or put it into the ZIP file"
    )
    first = await done(client, content)
    again = await done(client, content, on_conflict="fail")
    assert "exist already" in again["error"]
    changed = packed({**registry(title="Changed"), "uploads/guide.md": GUIDE})
    overwritten = await done(client, changed, on_conflict="overwrite")
    assert overwritten["result"]["updated"] == 1
    newer = packed({**registry(title="Newer"), "uploads/guide.md": b"# Other\n"})
    last = await done(client, newer, since_last="true")
    assert {name: last["result"]["sinceLast"][name] for name in ("new", "changed", "conflicts")} == {
        "new": 0,
        "changed": 2,
        "conflicts": 0,
    }
    assert (await client.get("/api/v1/files/f/download")).content == b"# Other\n"
    for job in (last, overwritten, first):
        assert (await undone(client, job["id"]))["state"] == "succeeded"
    assert (await client.get("/api/v1/ideas")).json()["data"] == []
    mapped = await post(client, content, map="title=Name")
    assert mapped.json()["errors"] == ["map: goes with source=csv only; leave it out"]


async def test_csv_of_the_old_postgresql_comes_in_as_its_rows_do(
    client: httpx.AsyncClient, old: Connection, tmp_path: Path
) -> None:
    await fill(
        old,
        _REAL,
        systems=[system(id=SYSTEM_ID, name="Hub", tags=["a", 'b"\n'], metadata={"b": 1.5, "a": [None]})],
        ideas=[idea(id=IDEA_ID, system_id=SYSTEM_ID, tags=[], description="", estimated_hours=12.25)],
        files=[file(id=FILE_ID, idea_id=IDEA_ID)],
        log=[entry(entity_id=IDEA_ID)],
    )
    files: dict[str, bytes] = {"uploads/guide.md": GUIDE}
    for table in TABLES:
        await old.copy_from_table(table, output=(at := tmp_path / table), format="csv", header=True)
        files[f"{table}.csv"] = at.read_bytes()
    job = await done(client, packed(files), source="postgres")
    assert job["state"] == "succeeded", job["error"]
    assert (job["kind"], job["result"]["store"]) == ("import.postgres", "postgres")
    assert (job["result"]["imported"], job["result"]["verified"]) == (4, 4)
    shown = (await client.get("/api/v1/systems")).json()["data"][0]
    assert (shown["tags"], shown["metadata"]) == (["a", 'b"\n'], {"b": 1.5, "a": [None]})
    shown = (await client.get(f"/api/v1/ideas/{IDEA_ID}")).json()["data"]
    assert (shown["estimatedHours"], shown["tags"]) == (12.25, [])


async def test_what_was_exported_comes_in_again(client: httpx.AsyncClient) -> None:
    await done(client, packed({**registry(), "uploads/guide.md": GUIDE}))
    answer = await client.post("/api/v1/exports", params={"form": "registry"})
    job = await ended(client, answer.json()["data"]["id"])
    exported = (await client.get(f"/api/v1/exports/{job['id']}/download")).content
    again = (await done(client, exported, on_conflict="overwrite"))["result"]
    assert (again["imported"], again["updated"], again["rejected"]) == (0, 0, 0)


async def test_a_registry_is_compared_with_what_stands_here(client: httpx.AsyncClient) -> None:
    content = packed({**registry(), "uploads/guide.md": GUIDE})
    verify = f"{IMPORTS}/verify"
    await done(client, content)
    same = await done(client, content, verify)
    assert same["state"] == "succeeded", same["error"]
    assert (same["kind"], same["result"]["differences"]) == ("import.verify", 0)
    assert (same["result"]["records"], same["result"]["stored"]) == (4, 4)
    await client.put("/api/v1/ideas/i", json={"title": "Here"})
    del (without := {**registry(title=""), "uploads/guide.md": GUIDE})[f"{AUDIT}.csv"]
    found = await done(client, packed(without), verify)
    counts = {name: found["result"][name] for name in ("missing", "different", "extra", "unusable")}
    assert counts == {"missing": 0, "different": 0, "extra": 1, "unusable": 1}
    assert found["result"]["absent"] == [AUDIT]
    other = await done(client, content, verify)
    answer = await client.get(f"{IMPORTS}/{other['id']}/differences")
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines == other["result"]["firstDifferences"]
    [line] = lines
    assert (line["kind"], line["id"]) == ("different", "idea i")
    assert {"name": "title", "source": "Document pagination", "here": "Here"} in line["fields"]
    gone = await client.get(f"{IMPORTS}/{found['id']}/differences")
    assert (gone.status_code, "not kept here any more; compare again" in gone.text) == (404, True)
    assert (await client.get(f"{IMPORTS}/{other['id']}/rejects")).status_code == 404


async def test_differences_are_kept_until_the_next_import_or_comparison_is_accepted(
    client: httpx.AsyncClient, import_folders: Folders
) -> None:
    found = await done(client, b'{"items": []}', f"{IMPORTS}/verify", source="lowdb")
    download = f"{IMPORTS}/{found['id']}/differences"
    assert (await client.get(download)).status_code == 200
    refused: list[tuple[bytes, dict[str, str]]] = [
        (b"", {"source": "lowdb"}),
        (b"{}", {"source": "no such source"}),
        (b"{}", {"source": "lowdb", "no_such_option": "1"}),
        (b"no ZIP file", {"source": "questdb"}),
        (b"a,b\n", {"source": "csv", "into": "items"}),
    ]
    for content, fields in refused:
        for path in (IMPORTS, f"{IMPORTS}/verify"):
            assert (await post(client, content, path, **fields)).status_code == 400
            assert (await client.get(download)).status_code == 200, fields
    assert import_folders() == [found["id"]], "of what was refused nothing stays"
    await done(client, b'{"items": []}', source="lowdb")
    assert (await client.get(download)).status_code == 404
    assert import_folders() == []


async def test_a_comparison_that_fails_has_nothing_to_download(
    client: httpx.AsyncClient, import_folders: Folders
) -> None:
    answer = await post(client, b'{"items": [', f"{IMPORTS}/verify", source="lowdb")
    job = await ended(client, answer.json()["data"]["id"])
    assert (job["state"], "ends" in job["error"]) == ("failed", True)
    refused = await client.get(f"{IMPORTS}/{job['id']}/differences")
    assert (refused.status_code, refused.json()["message"][-12:]) == (409, "it is failed")
    assert import_folders() == []
    sheet = await post(client, b"a", f"{IMPORTS}/verify", source="csv")
    assert sheet.json()["details"][0]["field"] == "source"


@pytest.mark.parametrize("marked", [True, False])
async def test_files_keep_their_names_in_any_language(client: httpx.AsyncClient, *, marked: bool) -> None:
    """Some programs write UTF-8 without the flag that says so."""
    name = "Übersicht 図.md"
    content = packed(
        {**tables(files=[file(id="f", filename=name, file_path=f"/srv/{name}")]), f"uploads/{name}": GUIDE}
    )
    if not marked:
        at = content.index(b"uploads/")
        content = content[: at - 24] + b"\0\0" + content[at - 22 :]
        at = content.rindex(b"uploads/")
        content = content[: at - 38] + b"\0\0" + content[at - 36 :]
    job = await done(client, content)
    assert (job["result"]["imported"], job["result"]["rejected"]) == (1, 0)
    assert (await client.get("/api/v1/files/f/download")).content == GUIDE
