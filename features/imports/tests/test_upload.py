"""Uploads on their way to disk: whole or not at all, private, and never in memory."""

import asyncio
import hashlib
import os
import signal
import stat
import sys
import tracemalloc
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.errors import HandoverError
from core.http.request.multipart import NotAForm
from features.imports.errors import StorageUnavailable, UploadInvalid, UploadTooLarge
from features.imports.storage.folders import Folders
from features.imports.storage.upload import Upload, receive

BOUNDARY = "----abc123"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename is not None else "")
    return f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


async def chunks(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def take(
    folder: Path, body: bytes, *, limit: int = 10**9, size: int = 65536, kind: str = FORM
) -> Upload:
    return await receive(kind, chunks(body, size), folder, limit=limit)


@pytest.mark.parametrize("size", [1, 7, 64, 4096])
async def test_file_and_fields_arrive_whatever_the_chunks(tmp_path: Path, size: int) -> None:
    content = os.urandom(3000) + f"\r\n--{BOUNDARY[:-1]}".encode() + b"\r\n--" + os.urandom(10)
    body = form(
        part("source", b"lowdb"),
        part("file", content, "biblioteca ç.json"),
        part("dry_run", b"true"),
        part("x", b""),
    )
    upload = await take(tmp_path, body, size=size)
    assert upload.path.read_bytes() == content
    assert upload.sha256 == hashlib.sha256(content).hexdigest()
    assert upload.size == len(content)
    assert upload.filename == "biblioteca ç.json"
    assert upload.fields == {"source": "lowdb", "dry_run": "true", "x": ""}
    assert stat.S_IMODE(upload.path.stat().st_mode) == 0o600
    assert [entry.name for entry in os.scandir(tmp_path)] == ["source.json"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\\\data\\\\x.json", "x.json"),
        ("a\x01b.json", "ab.json"),
        ("", "upload"),
        ("x" * 400, "x" * 255),
    ],
)
async def test_the_name_of_the_file_is_only_a_name(tmp_path: Path, sent: str, kept: str) -> None:
    upload = await take(tmp_path, form(part("file", b"[]", sent)))
    assert upload.filename == kept
    assert upload.path == tmp_path / "source.json"


@pytest.mark.parametrize(
    ("body", "kind", "error", "message"),
    [
        (form(part("source", b"lowdb")), FORM, UploadInvalid, 'has no "file"'),
        (form(part("file", b"", "x.json")), FORM, UploadInvalid, "empty"),
        (form(part("file", b"[]")), FORM, UploadInvalid, '"file" is not a file'),
        (form(part("file", b"[]", "a"), part("file", b"[]", "b")), FORM, UploadInvalid, "more than one"),
        (part("file", b"[]", "a"), FORM, UploadInvalid, "ends too early"),
        (form(part("file", b"[]", "a"))[:-6], FORM, UploadInvalid, "ends too early"),
        (form(part("map", b"x" * 33_000)), FORM, UploadInvalid, '"map" is longer than 32768 bytes'),
        (form(*[part("x", b"")] * 40), FORM, UploadInvalid, "more than 32 parts"),
        (b"{}", FORM, UploadInvalid, "malformed"),
        (b"{}", "application/json", NotAForm, "multipart/form-data"),
        (b"{}", "", NotAForm, "multipart/form-data"),
        (b"{}", "multipart/form-data", NotAForm, "has no boundary"),
        (b"{}", "multipart/form-data; boundary=" + "x" * 300, NotAForm, "boundary"),
    ],
)
async def test_what_is_no_usable_form_is_refused(
    tmp_path: Path, body: bytes, kind: str, error: type[HandoverError], message: str
) -> None:
    with pytest.raises(error, match=message):
        await take(tmp_path, body, kind=kind)


async def test_a_file_of_exactly_the_limit_is_taken(tmp_path: Path) -> None:
    upload = await take(tmp_path, form(part("file", b"x" * 1000, "a")), limit=1000)
    assert upload.size == 1000


async def test_a_larger_file_is_refused_before_the_rest_is_read(tmp_path: Path) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        yield part("file", b"", "a")[:-2]
        while True:
            read += 65536
            yield b"x" * 65536

    with pytest.raises(UploadTooLarge):
        await receive(FORM, endless(), tmp_path, limit=1_000_000)
    assert read <= 1_000_000 + 65536


async def test_a_large_file_does_not_pass_through_memory(tmp_path: Path) -> None:
    size = 200 << 20

    async def body() -> AsyncIterator[bytes]:
        yield part("file", b"", "a")[:-2]
        chunk = b"x" * 65536
        for _ in range(size // len(chunk)):
            yield chunk
        yield b"\r\n" + form()

    tracemalloc.start()
    try:
        upload = await receive(FORM, body(), tmp_path, limit=size)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert upload.size == size
    assert peak < 16 << 20


async def test_a_folder_that_cannot_be_written_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "imports").write_text("in the way")
    with pytest.raises(StorageUnavailable):
        async with Folders(tmp_path).incoming():
            pytest.fail("there is no folder")


async def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    folders = Folders(tmp_path)

    async def broken() -> AsyncIterator[bytes]:
        yield part("file", b"x" * 5_000_000, "a")
        raise ConnectionError

    with pytest.raises(ConnectionError):
        async with folders.incoming() as folder:
            await receive(FORM, broken(), folder, limit=10**9)
    assert folders.candidates() == []


async def test_an_adopted_upload_belongs_to_its_job(tmp_path: Path) -> None:
    folders, job_id = Folders(tmp_path), str(uuid.uuid4())
    async with folders.incoming() as folder:
        await take(folder, form(part("file", b"[]", "a")))
        folders.adopt(folder, job_id)
    assert (folders.of(job_id) / "source.json").read_bytes() == b"[]"
    assert stat.S_IMODE(folders.of(job_id).stat().st_mode) == 0o700
    folders.remove(job_id)
    assert folders.candidates() == []


async def test_the_sweep_spares_what_is_in_use(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    live, ended, used = (str(uuid.uuid4()) for _ in range(3))
    for job_id in (live, ended):
        async with folders.occupied(job_id):
            pass
    async with folders.occupied(used), folders.incoming() as incoming:
        assert folders.sweep(folders.candidates(), {live}) == 1
        assert incoming.exists()
        assert sorted(folders.candidates()) == sorted([live, used, incoming.name])


async def test_the_lock_of_a_killed_process_does_not_stay(tmp_path: Path) -> None:
    folders, job_id = Folders(tmp_path), str(uuid.uuid4())
    async with folders.occupied(job_id) as path:
        pass
    holder = (
        "import fcntl, os, signal, sys\n"
        "fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_SH)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", holder, str(path / "lock"))
    assert await process.wait() == -signal.SIGKILL
    assert folders.sweep(folders.candidates(), set()) == 1
