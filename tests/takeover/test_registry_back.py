"""The registry leaves as it came: unchanged rows to the letter, others in the words of the old store."""

import asyncio
import csv
import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from core.database.client import Author
from features.exports.errors import ExportNotStored, TargetUnusable
from features.exports.schemas import Wanted
from features.exports.service import accept
from features.exports.targets.folder import FolderTarget
from features.exports.tests.factories import EXPORTS, ended
from features.imports.tests.registry.conftest import Takeover, takeover, uploads
from features.imports.tests.registry.factories import (
    NOON,
    Old,
    entry,
    export,
    file,
    first_file,
    first_idea,
    first_system,
    idea,
    system,
)
from tests.fixtures.commands import Handover

if TYPE_CHECKING:
    from fastapi import FastAPI

    from core.platform import Platform

__all__ = ["takeover", "uploads"]

Tables = dict[str, bytes]
GUIDE = "# Guide\n\nwordofguide\n"
CHECKSUM = hashlib.sha256(GUIDE.encode()).hexdigest()


async def exported(client: httpx.AsyncClient) -> tuple[Tables, dict[str, Any]]:
    """Content of the ZIP file by name, and the job's result."""
    answer = await client.post(EXPORTS, params={"form": "registry"})
    assert answer.status_code == 202, answer.text
    job = await ended(client, answer.json()["data"]["id"])
    assert job["state"] == "succeeded", job["error"]
    download = await client.get(f"{EXPORTS}/{job['id']}/download")
    assert download.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(download.content)) as packed:
        return {name: packed.read(name) for name in packed.namelist() if not name.endswith("/")}, job[
            "result"
        ]


def rows_of(tables: Tables, name: str) -> dict[str, dict[str, str]]:
    lines = csv.DictReader(io.StringIO(tables[f"documentation_{name}.csv"].decode(), newline=""))
    return {row["id"]: row for row in lines}


def later() -> dict[str, list[Old]]:
    owner = system(name='Orders "EU", süd', metadata='{"zone":[{"b":1,"a":2}],"a":1}', status="error")
    old = idea(system_id=owner["id"], status="backlog", priority="urgent", category="bug_fix", title="Antes")
    return {
        "systems": [owner, system(status="unknown", description=None, tags='["a, b"]', on_call="ada")],
        "ideas": [
            old,
            idea(title="", status="todo"),
            {**old, "title": "Depois\nde tudo", "designated_timestamp": "2024-05-02T12:00:00.000000Z"},
            idea(status="done", completed_at="2024-06-01T08:30:00.123456Z", category="nobody knows"),
            idea(system_id="gone", estimated_hours=None, created_at="2024-05-01T12:00:00.123456Z"),
        ],
        "files": [
            file(idea_id=old["id"], size_bytes=len(GUIDE)),
            file(file_path="/srv/registry/uploads/lost.md", filename="lost.md"),
            file(is_public=None, size_bytes=len(GUIDE)),
        ],
        "audit_log": [
            entry(entity_id=old["id"]),
            entry(action="create", user_id=None),
            entry(action="nothing"),
        ],
    }


def first() -> dict[str, list[Old]]:
    old = first_idea(status="cancelled")
    return {
        "systems": [first_system(status="degraded", port=None), first_system(tags=None, host=None)],
        "ideas": [
            old,
            first_idea(category="reference", status="done", completed_at=NOON),
            first_idea(title=None),
        ],
        "files": [
            first_file(idea_id=old["id"], size=len(GUIDE), checksum="f" * 64),
            first_file(storage_path="/a/guide.md", size=len(GUIDE), checksum=CHECKSUM),
        ],
        "audit_log": [entry()],
    }


@pytest.mark.parametrize("made", [later, first])
async def test_what_has_not_changed_is_equal_to_the_letter(
    client: httpx.AsyncClient,
    takeover: Takeover,
    uploads: Path,
    tmp_path: Path,
    made: Callable[[], dict[str, list[Old]]],
) -> None:
    """Older versions of a row and rows that could not be taken over, too."""
    folder = export(tmp_path / "old", **made())
    job = await takeover(folder, files=uploads)
    assert job["state"] == "succeeded", job["error"]
    tables, result = await exported(client)
    for path in await asyncio.to_thread(lambda: sorted(folder.glob("*.csv"))):
        assert tables[path.name].decode() == path.read_bytes().decode(), path.name
    assert [content for name, content in tables.items() if name.startswith("files/")] == [GUIDE.encode()]
    assert result["translated"] == result["added"] == result["removed"] == result["inexpressible"] == 0
    assert result["unusable"] == job["result"]["rejected"] + job["result"]["superseded"] > 0


def body(answer: httpx.Response) -> dict[str, Any]:
    assert answer.is_success, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def answers(client: httpx.AsyncClient) -> dict[str, Any]:
    """What the registry says, but for what an import cannot bring."""
    found: dict[str, Any] = {}
    for name in ("systems", "ideas", "files"):
        rows = (await client.get(f"/api/v1/{name}")).json()["data"]
        found[name] = {row["id"]: row for row in rows}
    return found


async def test_changed_added_and_deleted_rows_come_back_from_the_export(
    client: httpx.AsyncClient, takeover: Takeover, uploads: Path, tmp_path: Path
) -> None:
    made = later()
    job = await takeover(export(tmp_path / "old", **made), files=uploads)
    [owner, other], [old, *_, done, _] = made["systems"], made["ideas"]
    body(await client.put(f"/api/v1/ideas/{old['id']}", json={"status": "completed", "priority": "critical"}))
    body(
        await client.put(f"/api/v1/systems/{owner['id']}", json={"status": "degraded", "tags": ["x", "y,z"]})
    )
    assert (await client.delete(f"/api/v1/systems/{other['id']}")).is_success
    assert (await client.delete(f"/api/v1/ideas/{done['id']}")).is_success
    lossy = body(
        await client.post(
            "/api/v1/ideas",
            json={"title": "New", "description": "d", "category": "dashboard", "priority": "low"},
        )
    )
    added = body(
        await client.post(
            "/api/v1/ideas",
            json={
                "title": "Whole",
                "description": "d",
                "category": "automation",
                "priority": "critical",
                "systemId": owner["id"],
                "estimatedHours": 2.5,
                "status": "triage",
            },
        )
    )
    form = {"file": ("näu.txt", b"new bytes", "text/plain")}
    sent = body(await client.post("/api/v1/files/upload", files=form))
    before = await answers(client)
    tables, result = await exported(client)
    ideas = rows_of(tables, "ideas")
    assert (ideas[str(old["id"])]["status"], ideas[str(old["id"])]["category"]) == ("done", "bug_fix")
    assert (ideas[added["id"]]["status"], ideas[added["id"]]["priority"]) == ("todo", "urgent")
    assert ideas[added["id"]]["category"] == "new_feature"
    assert rows_of(tables, "systems")[str(owner["id"])]["status"] == "error"
    figures = result["tables"]["documentation_ideas"]
    assert (figures["translated"], figures["added"], figures["removed"], figures["inexpressible"]) == (
        1,
        2,
        1,
        1,
    )
    assert (result["removed"], result["inexpressible"]) == (2, 1)
    [told] = result["firstDecided"]
    assert told["id"] == f"documentation_ideas {lossy['id']}"
    assert "dashboard" in told["reason"]
    log = rows_of(tables, "audit_log")
    assert ("delete", done["id"]) in {(row["action"], row["entity_id"]) for row in log.values()}

    assert job["state"] == "succeeded"
    await emptied(client)
    again = tmp_path / "again"
    for name, content in tables.items():
        path = again / name
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        await asyncio.to_thread(path.write_bytes, content)
    job = await takeover(again, files=again / "files")
    assert job["state"] == "succeeded", job["error"]
    after = await answers(client)
    before["ideas"][lossy["id"]]["category"] = "automation"
    assert after == before
    assert (await client.get(f"/api/v1/files/{sent['id']}/download")).content == b"new bytes"


async def emptied(client: httpx.AsyncClient) -> None:
    for name in ("files", "ideas", "systems"):
        for row in (await client.get(f"/api/v1/{name}")).json()["data"]:
            assert (await client.delete(f"/api/v1/{name}/{row['id']}")).is_success


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(TargetUnusable, match="full is not empty"):
        FolderTarget(tmp_path / "full", "a.1")
    (tmp_path / "empty").mkdir()
    folder = FolderTarget(tmp_path / "empty", "a.1")
    folder.table("documentation_ideas").close()
    assert not list((tmp_path / "empty").iterdir())
    folder.finish(0o755)
    folder.close()
    names = sorted(path.name for path in (tmp_path / "empty").iterdir())
    assert names == ["documentation_ideas.csv", "files"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "full"]


async def test_a_folder_that_was_finished_is_not_in_its_own_way(
    app: "FastAPI", client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The process is gone between the last rename and the end of its job."""
    platform: Platform = app.state.platform
    finish, ends = FolderTarget.finish, [ExportNotStored("gone")]

    def finish_and_die(target: FolderTarget, mode: int) -> None:
        finish(target, mode)
        if ends:
            raise ends.pop()

    monkeypatch.setattr(FolderTarget, "finish", finish_and_die)
    wanted = Wanted(form="registry")
    accepted = await accept(
        platform.db, platform.jobs, platform.settings, Author("operator"), wanted, tmp_path / "back"
    )
    await platform.jobs.run(accepted.id)
    job = (await client.get(f"/api/v1/jobs/{accepted.id}")).json()["data"]
    assert (job["state"], job["attempts"], job["result"]["filename"]) == ("succeeded", 2, "back")
    names = await asyncio.to_thread(lambda: [path.name for path in tmp_path.glob("*back*")])
    assert (names, len(list((tmp_path / "back").glob("*.csv")))) == (["back"], 4)


async def test_the_command_writes_a_folder_once(handover: Handover, tmp_path: Path, uploads: Path) -> None:
    folder = export(tmp_path / "old", **later())
    assert (await handover("import", "questdb", str(folder), "--files", str(uploads))).code == 0
    outcome = await handover("export", "registry", "back")
    assert outcome.code == 0, outcome.err
    assert "documentation_ideas" in outcome.out
    back = tmp_path / "back"
    for path in await asyncio.to_thread(lambda: sorted(folder.glob("*.csv"))):
        assert (back / path.name).read_bytes() == path.read_bytes(), path.name
    again = await handover("export", "registry", "back")
    assert again.code == 1
    assert "back is not empty; name a folder that is empty or does not exist" in again.out + again.err
    assert [path.name for path in await asyncio.to_thread(lambda: list(tmp_path.glob(".back*")))] == []
