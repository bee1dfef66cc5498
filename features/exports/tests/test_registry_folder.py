"""The folder of a registry's export, as a command names it and an import takes it."""

from pathlib import Path

from tests.fixtures.commands import Handover


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
