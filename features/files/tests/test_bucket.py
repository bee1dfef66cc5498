"""FILES_URL=s3://...: the same behaviour, with a bucket in place of the folder."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from features.files.settings import FileSettings
from features.files.tests.bucket import Bucket, serving_bucket
from features.files.tests.factories import FILES, FORM, PDF, PNG, UPLOAD, form, send, upload
from features.files.tests.test_reconcile import reconciled
from tests.fixtures.application import RunningApp

LARGE = PNG + bytes(12 * 1024 * 1024)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with serving_bucket() as serving:
        for name, value in {
            "AWS_ENDPOINT_URL": serving.url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "eu-west-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield serving


@pytest_asyncio.fixture(loop_scope="session")
async def own(
    running_app: RunningApp, bucket: Bucket, client: httpx.AsyncClient, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    """An app on a bucket of its own name; `client` is there for the clean tables that come with it."""
    async with running_app(files_url=f"s3://bucket-{uuid4()}/registry", data_dir=tmp_path) as opened:
        yield opened
    assert not (tmp_path / "files").exists()


async def test_a_large_file_goes_in_parts_and_comes_back(own: httpx.AsyncClient, bucket: Bucket) -> None:
    file = await upload(own, "large.png", LARGE)
    assert file["checksum"] == hashlib.sha256(LARGE).hexdigest()
    [key] = bucket.objects
    assert key.startswith("registry/")
    assert bucket.uploads == {}
    url = f"{FILES}/{file['id']}/download"
    assert (await own.get(url)).content == LARGE
    part = await own.get(url, headers={"range": f"bytes=-{len(LARGE) - 1}"})
    assert (part.status_code, part.content) == (206, LARGE[1:])
    assert (await own.delete(f"{FILES}/{file['id']}")).status_code == 200
    assert bucket.objects == {}


async def test_a_refused_file_leaves_neither_object_nor_parts(own: httpx.AsyncClient, bucket: Bucket) -> None:
    text = b"x" * (12 * 1024 * 1024) + b"\0"
    assert (await send(own, "a.txt", text)).status_code == 400
    unfinished = form(("file", "a.png", LARGE))[:-8]
    assert (await own.post(UPLOAD, content=unfinished, headers=FORM)).status_code == 400
    assert (bucket.objects, bucket.uploads) == ({}, {})


async def test_a_bucket_that_refuses_is_told(own: httpx.AsyncClient, bucket: Bucket) -> None:
    file = await upload(own, "a.pdf", PDF)
    bucket.broken = True
    for response in (
        await send(own, "b.pdf", PDF),
        await send(own, "c.png", LARGE),
        await own.get(f"{FILES}/{file['id']}/download"),
    ):
        assert response.status_code == 503
        assert bucket.url not in response.text
    bucket.broken = False
    assert (await own.get(FILES)).json()["total"] == 1
    assert (await own.get(f"{FILES}/{file['id']}")).json()["data"]["downloadCount"] == 0


async def test_a_bucket_is_reconciled(own: httpx.AsyncClient, bucket: Bucket) -> None:
    kept, lost = await upload(own, "a.pdf", PDF), await upload(own, "b.png", PNG)
    key = str(uuid4())
    bucket.objects |= {f"registry/{key[:2]}/{key}": b"left", "registry/other": b"x", "elsewhere/x": b"x"}
    bucket.objects = {key: content for key, content in bucket.objects.items() if content != PNG}
    result = await reconciled(own)
    assert (result["removed"], result["foreign"], result["missingIds"]) == (1, 1, [lost["id"]])
    assert set(bucket.objects.values()) == {PDF, b"x"}
    assert (await own.get(f"{FILES}/{kept['id']}/download")).content == PDF


@pytest.mark.parametrize("url", ["ftp://host/folder", "s3://", "file://", "files", "http://host"])
def test_a_url_that_is_no_store_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        FileSettings(files_url=url)


async def test_a_folder_may_be_elsewhere(
    running_app: RunningApp, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    folder = tmp_path / "with space"
    async with running_app(files_url=f"{tmp_path.as_uri()}/with%20space") as elsewhere:
        file = await upload(elsewhere)
        assert (await elsewhere.get(f"{FILES}/{file['id']}/download")).status_code == 200
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 1
