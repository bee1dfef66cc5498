"""What the trail tells of imports, of their undoing and of its own retention: a golden test.

Each step is followed by the entries that it leaves. `# today:` marks what looks like a fault.
"""

import csv
import io
import json
from inspect import cleandoc
from pathlib import Path
from typing import Any

import httpx

from features.audit.tests.transcript import Transcript
from tests.fixtures.application import RunningApp
from tests.fixtures.commands import Handover

ITEMS = "/api/items"
IMPORTS = "/api/v1/imports"
NOON = "2024-05-01T12:00:00.000000Z"


def record(item_id: str, **changes: object) -> dict[str, object]:
    return {
        "id": item_id,
        "title": "  Primeira  ",
        "description": "x",
        "category": "dashboard",
        "priority": "medium",
        "status": "review",
        "tags": [],
        "createdAt": "2025-10-23T22:45:24.940Z",
        "updatedAt": None,
        **changes,
    }


def lowdb(*records: object, **fields: str) -> dict[str, Any]:
    """The form that imports them."""
    content = json.dumps({"items": records}).encode()
    return {"files": {"file": ("library.json", content)}, "data": {"source": "lowdb", **fields}}


async def test_an_import_of_items_and_its_undoing(client: httpx.AsyncClient) -> None:
    trail = Transcript(client)
    source = record("old"), record("odd", createdAt="2025-10-23", votes=3), {"id": "bad"}
    await trail.run(IMPORTS, **lowdb(*source, dry_run="true"))
    assert await trail.entries() == ""

    first = await trail.run(IMPORTS, **lowdb(*source))
    # One entry for a batch, and none for its rows. It has nobody's address, as a job has none.
    assert await trail.entries() == cleandoc("""
        entity=item entityId=<job 2> action=imported user=ada requestId=request-2
          inserted = 2
          source = "lowdb"
          updated = 0
        """)

    await trail.run(IMPORTS, **lowdb(*source))
    assert await trail.entries() == ""

    await trail.send("PUT", f"{ITEMS}/odd", user="bob", json={"title": "Ours"})
    assert await trail.entries() == cleandoc("""
        entity=item entityId=odd action=updated user=bob requestId=request-4 client=127.0.0.1
          title: "  Primeira  " -> "Ours"
          updatedAt: null -> "<time 4>"
        """)

    changed = record("old", title="Changed"), record("odd", title="Theirs"), record("new")
    second = await trail.run(IMPORTS, user=None, **lowdb(*changed, on_conflict="overwrite"))
    assert await trail.entries() == cleandoc("""
        entity=item entityId=<job 4> action=imported user=anonymous requestId=<request 5>
          inserted = 1
          source = "lowdb"
          updated = 2
        """)

    await trail.run(f"{IMPORTS}/{first['id']}/undo", state="failed")
    assert await trail.entries() == ""

    await trail.run(f"{IMPORTS}/{second['id']}/undo", user="maria")
    assert await trail.entries() == cleandoc("""
        entity=import entityId=<job 4> action=deleted user=maria requestId=request-7
          deleted = 1
          job = "<job 6>"
          restored = 2
        """)

    await trail.send("DELETE", f"{ITEMS}/odd")
    assert await trail.entries() == cleandoc("""
        entity=item entityId=odd action=deleted user=ada requestId=request-8 client=127.0.0.1
          category: "dashboard" -> null
          createdAt: "2025-10-23T00:00:00.000Z" -> null
          description: "x" -> null
          id: "odd" -> null
          priority: "medium" -> null
          status: "review" -> null
          tags: [] -> null
          title: "Ours" -> null
          updatedAt: "<time 4>" -> null
        """)


async def test_an_import_in_several_batches(running_app: RunningApp) -> None:
    async with running_app(import_batch_rows=2) as client:
        trail = Transcript(client)
        await trail.run(IMPORTS, **lowdb(*(record(name) for name in "abcd")))
        assert await trail.entries() == cleandoc("""
            entity=item entityId=<job 1> action=imported user=ada requestId=request-1
              inserted = 2
              source = "lowdb"
              updated = 0
            entity=item entityId=<job 1> action=imported user=ada requestId=request-1
              inserted = 2
              source = "lowdb"
              updated = 0
            """)


def export(folder: Path, table: str, **row: object) -> None:
    """A table of one row in the folder, as the old registry writes it."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC).writerows([row.keys(), row.values()])
    (folder / f"documentation_{table}.csv").write_text(text.getvalue())


def old_registry(folder: Path, name: str) -> None:
    """A system of that name, an idea, a file and an entry of the log; nothing has a description."""
    (folder / "bytes").mkdir(parents=True)
    (folder / "bytes" / "guide.md").write_text("# Guide\n")
    times = {"created_at": NOON, "designated_timestamp": NOON}
    export(folder, "systems", id="s", name=name, type="api", status="error", **times)
    idea = {"title": "Paging", "status": "done", "category": "bug_fix", "priority": "urgent"}
    export(folder, "ideas", id="i", system_id="s", created_by="old", **idea, **times)
    path = "/srv/uploads/guide.md"
    file = {"filename": "guide.md", "original_name": "Guide.md", "mime_type": "text/markdown"}
    links = {"idea_id": "i", "system_id": "s", "uploaded_by": "old", "is_public": True}
    export(folder, "files", id="f", file_path=path, **file, **links, **times)
    change = {"action": "update", "changes": '{"title":"Better"}', "user_id": "old"}
    origin = {"ip_address": "192.0.2.7", "user_agent": "Firefox", "ts": NOON}
    export(folder, "audit_log", id="e", entity_type="idea", entity_id="i", **change, **origin)


async def test_an_old_registry_is_taken_over_and_its_old_entries_go_in_time(
    running_app: RunningApp, handover: Handover, tmp_path: Path
) -> None:
    async def take_over(name: str, *options: str) -> str:
        """The id of the import."""
        old_registry(tmp_path / name, name)
        files = ("--files", str(tmp_path / name / "bytes"))
        operator = {"LOGNAME": "operator"}
        done = await handover(
            "import", "questdb", str(tmp_path / name), *files, *options, environment=operator
        )
        assert done.code == 0, done.err
        newest = await trail.send("GET", IMPORTS, params={"limit": "1"}, made="job")
        return str(newest[0]["id"])

    async with running_app(audit_retention_days=30, data_dir=tmp_path / "data") as client:
        trail = Transcript(client)
        await take_over("Orders")
        assert await trail.entries() == cleandoc("""
            entity=idea entityId=i action=updated user=old client=192.0.2.7
            takenOver={"fields": {"user_agent": "Firefox"}, "id": "e", "original": {"action": "update"}}
              title = "Better"
            entity=system entityId=<job 1> action=imported user=operator
              inserted = 1
              source = "questdb"
              updated = 0
            entity=idea entityId=<job 1> action=imported user=operator
              inserted = 1
              source = "questdb"
              updated = 0
            entity=file entityId=<job 1> action=imported user=operator
              inserted = 1
              source = "questdb"
              updated = 0
            entity=audit entityId=<job 1> action=imported user=operator
              inserted = 1
              source = "questdb"
              updated = 0
            """)

        job_id = await take_over("Billing", "--on-conflict", "overwrite")
        assert await trail.entries() == cleandoc("""
            entity=system entityId=<job 2> action=imported user=operator
              inserted = 0
              source = "questdb"
              updated = 1
            """)

        await trail.run(f"{IMPORTS}/{job_id}/undo")
        assert await trail.entries() == cleandoc("""
            entity=import entityId=<job 2> action=deleted user=ada requestId=request-3
              deleted = 0
              job = "<job 3>"
              restored = 1
            """)

        await trail.send("PUT", "/api/v1/systems/s", json={"owner": "desk"})
        await trail.send("PUT", "/api/v1/systems/s", json={"owner": None})
        assert await trail.entries() == cleandoc("""
            entity=system entityId=s action=updated user=ada requestId=request-4 client=127.0.0.1
              owner: null -> "desk"
              updatedAt: null -> "<time 4>"
            entity=system entityId=s action=updated user=ada requestId=request-5 client=127.0.0.1
              owner: "desk" -> null
              updatedAt: "<time 4>" -> "<time 5>"
            """)

        # A missing description is left out of a file's, and an empty text in an idea's and a system's entry.
        for path in ("files/f", "ideas/i", "systems/s"):
            await trail.send("DELETE", f"/api/v1/{path}")
        assert await trail.entries() == cleandoc("""
            entity=file entityId=f action=deleted user=ada requestId=request-6 client=127.0.0.1
              checksum: "bc553ffe57e544498b12a9865dbf3abc2004c474e349c52c378eaa402287424b" -> null
              createdAt: "2024-05-01T12:00:00.000Z" -> null
              filename: "guide.md" -> null
              id: "f" -> null
              ideaId: "i" -> null
              isPublic: true -> null
              mimetype: "text/markdown" -> null
              originalName: "Guide.md" -> null
              size: 8 -> null
              systemId: "s" -> null
              uploadedBy: "old" -> null
            entity=idea entityId=i action=deleted user=ada requestId=request-7 client=127.0.0.1
              category: "api" -> null
              completedAt: "2024-05-01T12:00:00.000Z" -> null
              createdAt: "2024-05-01T12:00:00.000Z" -> null
              createdBy: "old" -> null
              description: "" -> null
              id: "i" -> null
              priority: "critical" -> null
              status: "completed" -> null
              systemId: "s" -> null
              tags: [] -> null
              title: "Paging" -> null
            entity=system entityId=s action=deleted user=ada requestId=request-8 client=127.0.0.1
              createdAt: "2024-05-01T12:00:00.000Z" -> null
              description: "" -> null
              id: "s" -> null
              name: "Orders" -> null
              status: "degraded" -> null
              tags: [] -> null
              type: "api" -> null
              updatedAt: "<time 5>" -> null
            """)

        retention = await trail.run("/api/v1/audit/retention", user="maria")
        limit = retention["result"]["before"]
        assert await trail.entries() == cleandoc(f"""
            entity=audit entityId=<job 4> action=deleted user=maria requestId=request-9
              before = "{limit}"
              count = 1
            """)
        await trail.run("/api/v1/audit/retention")
        assert await trail.entries() == ""
