"""The folder of a registry's export, as a command names it and an import takes it, and its ZIP file."""

from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from features.exports.targets.file import identity_of
from features.exports.tests.factories import EXPORTS, ended
from tests.fixtures.application import RunningApp
from tests.fixtures.commands import Handover
from tests.fixtures.database import Connection

if TYPE_CHECKING:
    from core.settings import Settings


async def test_a_folder_does_not_go_to_standard_output(handover: Handover, tmp_path: Path) -> None:
    outcome = await handover("export", "registry", "-")
    assert (outcome.code, outcome.out, (tmp_path / "-").exists()) == (2, "", False)
    assert "a folder cannot go to standard output; name one" in outcome.err


async def test_a_registry_without_files_has_a_folder_of_them_that_comes_in_again(
    handover: Handover, tmp_path: Path
) -> None:
    assert (await handover("export", "registry", "old")).code == 0
    assert list((tmp_path / "old" / "files").iterdir()) == []
    outcome = await handover("import", "postgres", "old", "--files", "old/files")
    assert outcome.code == 0, outcome.err


async def test_a_folder_that_was_already_packed_is_not_packed_again(
    client: httpx.AsyncClient, connection: Connection, running_app: RunningApp, settings: "Settings"
) -> None:
    """Killed after the ZIP file had its name, while the folder went: what is left of that is no registry."""
    answer = await client.post(EXPORTS, params={"form": "registry"})
    job = await ended(client, answer.json()["data"]["id"])
    packed = (await client.get(f"{EXPORTS}/{job['id']}/download")).content
    [file] = (settings.data_dir / "exports" / job["id"]).iterdir()
    left = file.with_suffix("")
    left.mkdir()
    await connection.execute(
        "UPDATE jobs SET state = 'queued', result = NULL, finished_at = NULL, lease_expires_at = now(),"
        " checkpoint = jsonb_set(checkpoint, '{identity}', to_jsonb($1::text))",
        identity_of(left),
    )
    async with running_app() as again:
        assert (await ended(again, job["id"]))["result"] == job["result"]
        assert (await again.get(f"{EXPORTS}/{job['id']}/download")).content == packed
    assert not left.exists()
