"""What is no ZIP file of an old registry is refused, with what to do, and leaves nothing."""

import stat
import struct
import zipfile
from collections.abc import Callable, Mapping

import httpx
import pytest

from features.imports.registry.archive import MOST_ENTRIES
from features.imports.tests.registry.archives import packed, post, registry
from features.imports.tests.registry.factories import IDEAS, SYSTEMS
from tests.fixtures.application import RunningApp

Folders = Callable[[], list[str]]


def entry_of(name: str, **changes: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    for attribute, value in changes.items():
        setattr(info, attribute, value)
    return info


def encrypted(content: bytes) -> bytes:
    """With the flag of encryption in its directory."""
    at = content.index(b"PK\x01\x02") + 8
    return content[:at] + b"\x01" + content[at + 1 :]


def damaged(content: bytes) -> bytes:
    """With another checksum in its directory."""
    at = content.index(b"PK\x01\x02") + 16
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def renamed(content: bytes, name: bytes, to: bytes) -> bytes:
    assert len(name) == len(to)
    return content.replace(name, to)


def overlapping() -> bytes:
    """A small archive many of whose entries are the same bytes: each is a million zeros."""
    content = packed({**registry(), "uploads/0000": bytes(1_000_000)})
    end = content.rindex(b"PK\x05\x06")
    [start] = struct.unpack_from("<L", content, end + 16)
    at = content.rindex(b"PK\x01\x02", start, end)
    count, one = 2000, content[at:end]
    more = b"".join(one.replace(b"uploads/0000", b"uploads/%04d" % number) for number in range(1, count))
    directory = content[start:end] + more
    total = 5 + count - 1
    tail = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, total, total, len(directory), start, 0)
    return content[:start] + directory + tail


def crowded() -> bytes:
    """Made when its test runs: it takes seconds."""
    return packed({**registry(), **{f"u/{number}": b"" for number in range(MOST_ENTRIES)}})


LINK = entry_of("uploads/guide.md", external_attr=(stat.S_IFLNK | 0o777) << 16, create_system=3)
LYING = packed({**registry(), "uploads/guide.md": bytes(3_000_000)})
HOSTILE: Mapping[str, tuple[bytes | Callable[[], bytes], str]] = {
    "up": (packed({**registry(), "uploads/../../guide.md": b"x"}), "leads out of it; pack the folder itself"),
    "absolute": (packed({**registry(), "/etc/passwd": b"x"}), '"/etc/passwd", which leads out of it'),
    "a drive": (packed({**registry(), "C:\\guide.md": b"x"}), "leads out of it"),
    "up, backwards": (packed({**registry(), "uploads\\..\\..\\x": b"x"}), "leads out of it"),
    "a link": (
        packed({**registry(), LINK: b"/etc/passwd"}),
        "a link or a device; pack the file that it leads to",
    ),
    "control": (packed({**registry(), "uploads/a\x1b[31mb": b"x"}), "control characters; rename that file"),
    "NUL": (
        renamed(packed({**registry(), "uploads/guide_md": b"x"}), b"guide_md", b"guide\0md"),
        "control characters; rename that file",
    ),
    "long": (packed({**registry(), f"uploads/{'x' * 300}": b"x"}), "too long; rename that file"),
    "deep": (packed({**registry(), f"{'x/' * 100}y": b"x"}), "too long; rename that file"),
    "encrypted": (encrypted(packed(registry())), "is encrypted; pack it without a password"),
    "twice": (
        renamed(packed({**registry(), "uploads/a": b"x", "uploads/b": b"y"}), b"uploads/b", b"uploads/a"),
        'has "uploads/a" twice; pack each file once',
    ),
    "both": (packed({**registry(), "uploads": b"x", "uploads/a": b"x"}), "as a file and as a folder"),
    "many": (crowded, "has more than 50,000 entries; pack fewer files"),
    "compression": (
        packed({**registry(), entry_of("uploads/x", compress_type=zipfile.ZIP_LZMA): b"x"}),
        "in an unusual compression; pack it with the usual one",
    ),
    "cut": (packed(registry())[:-30], "ends too early or is damaged; pack it anew, and send it again"),
    "damaged": (damaged(packed(registry())), "damaged; pack it anew"),
    "no ZIP": (b'{"items": []}', "The file is no ZIP file; pack the folder of the CSV files into one"),
    "empty": (packed({}), "has none of documentation_audit_log.csv"),
    "no tables": (packed({"ideas.csv": b"id\n"}), "has none of documentation_audit_log.csv, documentation_"),
    "two registries": (
        packed({f"{place}/{name}": data for place in "ab" for name, data in registry().items()}),
        'has tables in "a" and "b"; pack those of one registry',
    ),
    "two folders": (
        packed({**registry(), "uploads/x": b"x", "more/x": b"x"}),
        'has several folders beside the tables ("more", "uploads"); put the bytes of files into one',
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_is_no_archive_of_a_registry_is_refused_with_what_to_do(
    client: httpx.AsyncClient, import_folders: Folders, name: str
) -> None:
    content, sentence = HOSTILE[name]
    answer = await post(client, content() if callable(content) else content)
    assert answer.status_code == 400, answer.text
    assert answer.json()["message"].startswith(("The ZIP file ", "The file is no ZIP file"))
    assert sentence in answer.json()["message"]
    assert answer.json()["details"][0]["field"] == "file"
    assert import_folders() == []
    assert (await client.get("/api/v1/jobs")).json()["total"] == 0


@pytest.mark.parametrize("content", [LYING, overlapping()], ids=["large", "overlapping"])
async def test_what_unpacks_to_more_than_the_limit_is_413_and_leaves_nothing(
    running_app: RunningApp, import_folders: Folders, content: bytes
) -> None:
    assert len(content) < 1_000_000
    async with running_app(import_max_bytes=2_000_000) as client:
        answer = await post(client, content)
        assert answer.status_code == 413
        assert "holds more than 2000000 bytes" in answer.json()["message"]
        assert import_folders() == []


async def test_an_archive_that_lies_about_its_sizes_is_refused(running_app: RunningApp) -> None:
    """The directory says that a file is small; no more of it comes out than that."""
    size = struct.pack("<L", 3_000_000)
    content = LYING.replace(size, struct.pack("<L", 10))
    assert content != LYING
    async with running_app(import_max_bytes=2_000_000) as client:
        answer = await post(client, content)
        assert (answer.status_code, "is damaged" in answer.json()["message"]) == (400, True)


async def test_a_directory_of_many_megabytes_is_not_read(client: httpx.AsyncClient) -> None:
    directory = b"PK\x01\x02" + bytes(9 << 20)
    tail = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, 60_000, 60_000, len(directory), 4, 0)
    answer = await post(client, b"PK\x03\x04" + directory + tail)
    assert "has more than 50,000 entries" in answer.json()["message"]


async def test_tables_that_are_no_registry_are_told_as_by_command(client: httpx.AsyncClient) -> None:
    for content, sentence in (
        (
            {f"{IDEAS}.csv": b'"id","title"\r\n'},
            f"{IDEAS} lacks category, priority, status; export the whole",
        ),
        ({f"{IDEAS}.csv": b'"title"\r\n'}, f'{IDEAS}.csv has no header line with a column "id" (byte 0)'),
        ({f"{SYSTEMS}.csv": b""}, f'{SYSTEMS}.csv has no header line with a column "id" (byte 0)'),
    ):
        answer = await post(client, packed(content))
        assert (answer.status_code, answer.json()["message"][: len(sentence)]) == (400, sentence)
