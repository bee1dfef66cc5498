"""Finding bytes in the folder that was given, and nowhere else."""

import os
from pathlib import Path

import pytest

from features.imports.errors import SourceUnavailable
from features.imports.registry.contents import ContentFolder, NoContent


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with files, and a secret beside it."""
    folder = tmp_path / "uploads"
    (folder / "2024" / "05").mkdir(parents=True)
    (folder / "2024" / "05" / "a.md").write_text("deep")
    (folder / "a.md").write_text("flat")
    (folder / "stored-7f.bin").write_text("by name")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "inner.txt").symlink_to(folder / "a.md")
    (folder / "out").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    return folder


def opened(folder: Path, path: str | None, name: str | None = None) -> str:
    content = ContentFolder(folder)
    try:
        with content.open(path, name) as file:
            return file.read().decode()
    finally:
        content.close()


@pytest.mark.parametrize(
    ("path", "name", "content"),
    [
        ("2024/05/a.md", None, "deep"),
        ("/srv/app/uploads/2024/05/a.md", None, "deep"),
        ("./uploads//2024/./05/a.md", None, "deep"),
        ("C:\\app\\uploads\\2024\\05\\a.md", None, "deep"),
        ("../uploads/2024/05/a.md", None, "deep"),
        ("/srv/other/a.md", None, "flat"),
        ("/gone/elsewhere.bin", "stored-7f.bin", "by name"),
        (None, "stored-7f.bin", "by name"),
        (None, "/somewhere/stored-7f.bin", "by name"),
    ],
)
def test_the_longest_end_of_the_path_that_is_there_is_the_file(
    path: str | None, name: str | None, content: str, tree: Path
) -> None:
    assert opened(tree, path, name) == content


@pytest.mark.parametrize(
    ("path", "name", "problem"),
    [
        ("../secret.txt", None, "is not in the folder of files"),
        ("2024/../../secret.txt", None, "is not in the folder of files"),
        ("..\\secret.txt", "..", "is not in the folder of files"),
        ("/etc/passwd", "/etc/passwd", "is not in the folder of files"),
        ("link.txt", None, "is a symbolic link, which is not followed"),
        ("inner.txt", None, "is a symbolic link, which is not followed"),
        ("out/secret.txt", None, "is a symbolic link, which is not followed"),
        ("2024", None, "is not a regular file"),
        ("pipe", None, "is not a regular file"),
        ("a.md/x", None, "is not in the folder of files"),
        ("a\0.md", None, "cannot be read: not a file name"),
        ("x" * 5000, None, "cannot be read: File name too long"),
        (None, None, "is not in the folder of files"),
        ("", "", "is not in the folder of files"),
        ("..", "..", "is not in the folder of files"),
    ],
)
def test_nothing_else_is_opened(path: str | None, name: str | None, problem: str, tree: Path) -> None:
    with pytest.raises(NoContent, match=problem):
        opened(tree, path, name)


def test_a_folder_that_is_none_is_said(tree: Path) -> None:
    with pytest.raises(SourceUnavailable, match="cannot be read"):
        ContentFolder(tree / "a.md")
