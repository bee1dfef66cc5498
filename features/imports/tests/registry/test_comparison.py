"""`handover verify registry`, and the cut-over pass as an operator runs both."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from core.database.client import Database
from core.settings import Settings
from features.imports.comparison.schemas import Difference
from features.imports.registry.accept import compare_registry
from features.imports.schemas import RegistryOptions
from features.imports.tests.registry.conftest import Relay, Takeover
from features.imports.tests.registry.factories import entry, export, file, idea, system
from features.imports.tests.registry.present import everything
from features.imports.tests.registry.test_live import _QUESTDB, _REAL, IDEA_ID, SYSTEM_ID, fill
from features.imports.tests.registry.test_since_last import newer
from tests.fixtures.commands import Handover
from tests.fixtures.database import Connection

if TYPE_CHECKING:
    import asyncpg


class Verify:
    """`found = await verify(place, files=...)`: the differences by id."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._settings = settings
        self.figures = (0, 0, 0)

    async def __call__(self, place: Path | str, **options: object) -> dict[str, Difference]:
        told: list[Difference] = []
        chosen = RegistryOptions.model_validate({"source": "questdb", **options})
        compared = await compare_registry(self._db, self._settings, str(place), chosen, told.append)
        self.figures = (compared.records, compared.stored, compared.differences)
        assert compared.differences == len(told)
        return {each.id: each for each in told}


def fields(difference: Difference) -> dict[str, tuple[object, object]]:
    return {each.name: (each.source, each.here) for each in difference.fields}


@pytest.fixture
def verify(app: Any) -> Verify:
    return Verify(app.state.platform.db, app.state.platform.settings)


def rows() -> dict[str, Any]:
    return {
        "systems": [system(id="s", name="Hub", metadata='{"n":18446744073709551616,"f":1.50}')],
        "ideas": newer(idea(id="i", system_id="s"), status="done", estimated_hours=2.5),
        "files": [file(id="f", idea_id="i")],
        "audit_log": [entry(id="e", entity_id="i")],
    }


async def test_after_an_import_there_is_no_difference(
    takeover: Takeover, verify: Verify, sql: "asyncpg.Connection", uploads: Path, tmp_path: Path
) -> None:
    folder = export(tmp_path / "old", **rows())
    await takeover(folder, files=uploads)
    before = await everything(sql)
    assert await verify(folder, files=uploads) == {}
    assert verify.figures == (5, 4, 0), "as many records as the import tells"
    assert await everything(sql) == before
    assert await sql.fetchval("SELECT count(*) FROM import_rejects") == 1


async def test_every_difference_is_told(
    takeover: Takeover, client: httpx.AsyncClient, verify: Verify, uploads: Path, tmp_path: Path
) -> None:
    folder = export(tmp_path / "old", **rows())
    await takeover(folder, files=uploads)
    await client.put("/api/v1/systems/s", json={"owner": "here"})
    await client.delete("/api/v1/ideas/i")
    ours = await client.post("/api/v1/systems", json={"name": "Ours", "description": "d", "status": "online"})
    old = rows()
    old["ideas"] += [idea(id="bad", title="")]
    old["audit_log"] = [entry(id="e", entity_id="i", user_id="eva")]
    found = await verify(export(tmp_path / "old", **old), files=uploads)
    assert {row_id: each.kind for row_id, each in found.items()} == {
        "system s": "different",
        f"system {ours.json()['data']['id']}": "extra",
        "idea i": "missing",
        "documentation_ideas[2]": "unusable",
        "file f": "different",
        "audit e": "different",
    }
    assert fields(found["system s"]).keys() == {"owner", "updated_at"}
    assert fields(found["system s"])["owner"] == ("platform-team", "here")
    assert fields(found["file f"]) == {"idea_id": ("i", None)}
    assert fields(found["audit e"]) == {"actor": ("eva", "ada")}
    assert found["documentation_ideas[2]"].reason == "title: must not be empty"
    assert verify.figures == (6, 4, 6)


async def test_bytes_and_downloads_are_compared_too(
    takeover: Takeover,
    verify: Verify,
    sql: "asyncpg.Connection",
    settings: Settings,
    uploads: Path,
    tmp_path: Path,
) -> None:
    folder = export(tmp_path / "old", files=[file(id="f", download_count=3), file(id="g", download_count=3)])
    await takeover(folder, files=uploads)
    await sql.execute("UPDATE files SET download_count = CASE id WHEN 'f' THEN 4 ELSE 2 END")
    assert fields((await verify(folder, files=uploads))["file g"]) == {"download_count": (3, 2)}
    key = await sql.fetchval("SELECT object_key FROM files WHERE id = 'f'")
    path = settings.data_dir / "files" / key
    path.write_bytes(path.read_bytes()[::-1])
    assert fields((await verify(folder, files=uploads))["file f"]).keys() == {"bytes"}
    (uploads / "guide.md").write_text("Other\n")
    found = await verify(folder, files=uploads)
    assert fields(found["file f"]).keys() == {"size_bytes", "checksum"}
    without = await verify(folder)
    assert {each.kind for each in without.values()} == {"unusable", "extra"}


@pytest.mark.parametrize("store", ["questdb", "postgres"])
async def test_a_live_registry_is_compared(
    store: str, takeover: Takeover, verify: Verify, old: Connection, old_url: str, questdb: Relay
) -> None:
    kinds, url = (_QUESTDB, questdb.url) if store == "questdb" else (_REAL, old_url)
    await fill(old, kinds, systems=[system(id=SYSTEM_ID, name="Hub")], ideas=[idea(id=IDEA_ID)], files=[])
    await takeover(url, source=store)
    assert await verify(url, source=store) == {}
    await old.execute("UPDATE documentation_ideas SET title = 'Changed'")
    [difference] = (await verify(url, source=store)).values()
    assert fields(difference) == {"title": ("Changed", "Document pagination")}


async def test_the_commands_say_it(handover: Handover, tmp_path: Path) -> None:
    a, b = idea(id="a", title="Old"), idea(id="b")
    folder = export(tmp_path / "old", systems=[system(id="s", name="Hub")], ideas=[a, b])
    assert (await handover("import", "questdb", str(folder))).code == 0
    same = await handover("verify", "registry", str(folder))
    assert (same.code, same.out.splitlines()) == (
        0,
        [
            "documentation_files is not in the source",
            "documentation_audit_log is not in the source",
            "No difference between 3 records and 3 rows here.",
        ],
    )
    export(tmp_path / "old", ideas=[*newer(a, title="New"), idea(id="c")])
    kept = await handover("import", "questdb", str(folder))
    figures = {line.split()[0]: line.split()[1:] for line in kept.out.splitlines() if line.strip()}
    assert (figures["imported"], figures["kept"], figures["differing"]) == (["1"], ["2"], ["1"])
    differs = await handover("verify", "registry", str(folder))
    assert differs.code == 1
    lines = differs.out.splitlines()
    assert "different  idea a" in lines
    assert '             title: "New" in the source, "Old" here' in lines
    assert lines[lines.index("extra      idea b") :] == [
        "extra      idea b",
        "documentation_files is not in the source",
        "documentation_audit_log is not in the source",
        "2 differences between 4 records and 4 rows here.",
    ]
    done = await handover("import", "questdb", str(folder), "--since-last")
    assert done.code == 0, done.err
    figures = {line.split()[0]: line.split()[1:] for line in done.out.splitlines() if line.strip()}
    assert [figures[name] for name in ("new", "changed", "conflicts", "vanished", "unchanged")] == [
        ["0"],
        ["1"],
        ["0"],
        ["1"],
        ["2"],
    ]
    assert figures["documentation_ideas"] == ["3", "1", "0", "0", "1", "1", "0", "1"]
    assert "  idea b: has vanished from the source and is still here" in done.out
    wrong = await handover("import", "questdb", str(folder), "--since-last", "--on-conflict", "overwrite")
    assert wrong.code == 2
    assert "cannot be chosen together with --since-last" in wrong.err
