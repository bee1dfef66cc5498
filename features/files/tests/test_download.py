"""Downloads: whole, in part, conditional, counted, and honest about what is missing."""

import asyncio
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from features.files.tests.factories import FILES, JsonObject, stored_objects, upload
from tests.fixtures.application import RunningApp

CONTENT = bytes(range(32, 127)) * 30
SIZE = len(CONTENT)


@pytest.fixture
async def file(client: httpx.AsyncClient, store: Path) -> JsonObject:
    return await upload(client, "content.txt", CONTENT)


def url_of(file: JsonObject) -> str:
    return f"{FILES}/{file['id']}/download"


async def count_of(client: httpx.AsyncClient, file: JsonObject) -> int:
    return int((await client.get(f"{FILES}/{file['id']}")).json()["data"]["downloadCount"])


async def test_the_whole_file(client: httpx.AsyncClient, file: JsonObject) -> None:
    response = await client.get(url_of(file))
    assert response.status_code == 200
    assert response.content == CONTENT
    headers = response.headers
    assert headers["content-length"] == str(SIZE)
    assert headers["content-type"] == "text/plain"
    assert headers["etag"] == f'"{file["checksum"]}"'
    assert headers["accept-ranges"] == "bytes"
    # Text is as a rule compressed; then neither length nor ranges nor tag would be those of the file.
    assert "content-encoding" not in headers
    assert await count_of(client, file) == 1


RANGES: list[tuple[str, int, int]] = [
    ("bytes=0-0", 0, 1),
    ("bytes=0-", 0, SIZE),
    ("bytes=10-19", 10, 20),
    ("bytes=10-", 10, SIZE),
    (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
    (f"bytes=5-{10**30}", 5, SIZE),
    ("bytes=-1", SIZE - 1, SIZE),
    ("bytes=-10", SIZE - 10, SIZE),
    (f"bytes=-{SIZE + 1}", 0, SIZE),
    (" Bytes = 1 - 2 ", 1, 3),
]


async def test_a_part_of_it(client: httpx.AsyncClient, file: JsonObject) -> None:
    for wanted, start, end in RANGES:
        response = await client.get(url_of(file), headers={"range": wanted})
        assert response.status_code == 206, wanted
        assert response.content == CONTENT[start:end]
        assert response.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
        assert response.headers["content-length"] == str(end - start)
        assert response.headers["etag"] == f'"{file["checksum"]}"'


async def test_a_range_that_is_not_understood_is_passed_by(
    client: httpx.AsyncClient, file: JsonObject
) -> None:
    for wanted in ("bytes=9-5", "bytes=-", "bytes=a-b", "items=0-5", "0-5", "bytes=0-1,5-6", ""):
        response = await client.get(url_of(file), headers={"range": wanted})
        assert response.status_code == 200, wanted
        assert response.content == CONTENT


async def test_a_range_behind_the_end(client: httpx.AsyncClient, file: JsonObject) -> None:
    for wanted in (f"bytes={SIZE}-", f"bytes={10**30}-", "bytes=-0"):
        response = await client.get(url_of(file), headers={"range": wanted})
        assert response.status_code == 416, wanted
        assert response.headers["content-range"] == f"bytes */{SIZE}"
        assert response.json()["success"] is False
    assert await count_of(client, file) == 0


async def test_if_range_sends_a_part_only_of_the_same_bytes(
    client: httpx.AsyncClient, file: JsonObject
) -> None:
    tag = f'"{file["checksum"]}"'
    whole = await client.get(url_of(file))
    for validator, status in [
        (tag, 206),
        (whole.headers["last-modified"], 206),
        (f"W/{tag}", 200),
        ('"other"', 200),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 200),
        ("nonsense", 200),
    ]:
        response = await client.get(url_of(file), headers={"range": "bytes=0-4", "if-range": validator})
        assert response.status_code == status, validator


async def test_what_the_client_has_is_not_sent_again(client: httpx.AsyncClient, file: JsonObject) -> None:
    tag = f'"{file["checksum"]}"'
    whole = await client.get(url_of(file))
    modified = whole.headers["last-modified"]
    assert parsedate_to_datetime(modified).microsecond == 0
    for headers, status in [
        ({"if-none-match": tag}, 304),
        ({"if-none-match": f'"a", W/{tag}'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"other"'}, 200),
        ({"if-modified-since": modified}, 304),
        ({"if-modified-since": "Mon, 01 Jan 2001 00:00:00 GMT"}, 200),
        ({"if-modified-since": "nonsense"}, 200),
        ({"if-none-match": '"other"', "if-modified-since": modified}, 200),
        ({"if-none-match": tag, "range": "bytes=0-1"}, 304),
    ]:
        response = await client.get(url_of(file), headers=headers)
        assert response.status_code == status, headers
        assert response.headers["etag"] == tag
        if status == 304:
            assert response.content == b""
    assert await count_of(client, file) == 5


async def test_head_tells_all_and_counts_nothing(client: httpx.AsyncClient, file: JsonObject) -> None:
    head = await client.head(url_of(file))
    assert head.status_code == 200
    assert head.content == b""
    part = await client.head(url_of(file), headers={"range": "bytes=0-9"})
    assert (part.status_code, part.headers["content-length"]) == (206, "10")
    assert await count_of(client, file) == 0
    whole = await client.get(url_of(file))
    for name in ("content-length", "content-type", "content-disposition", "etag", "last-modified"):
        assert head.headers[name] == whole.headers[name]


async def test_going_on_with_a_download_is_not_another_one(
    client: httpx.AsyncClient, file: JsonObject
) -> None:
    for start in range(0, SIZE, 300):
        await client.get(url_of(file), headers={"range": f"bytes={start}-{start + 299}"})
    assert await count_of(client, file) == 1


async def test_downloads_at_once_are_counted_exactly(client: httpx.AsyncClient, file: JsonObject) -> None:
    responses = await asyncio.gather(*(client.get(url_of(file)) for _ in range(50)))
    assert [response.status_code for response in responses] == [200] * 50
    assert {response.content for response in responses} == {CONTENT}
    assert await count_of(client, file) == 50
    [listed] = (await client.get(FILES)).json()["data"]
    assert listed["downloadCount"] == 50
    assert "updatedAt" not in listed


@pytest.mark.parametrize("file_id", ["nope", "00000000-0000-4000-8000-000000000000", "x" * 500, "%00", "%ff"])
async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient, file_id: str) -> None:
    for path in (f"{FILES}/{file_id}/download", f"{FILES}/{file_id}"):
        response = await client.get(path)
        assert response.status_code == 404
        assert response.json()["success"] is False


async def test_a_lost_object_is_told_and_not_counted(client: httpx.AsyncClient, store: Path) -> None:
    lost, cut = await upload(client), await upload(client)
    for path in stored_objects(store):
        if path == stored_objects(store)[0]:
            path.write_bytes(b"cut")
        else:
            path.unlink()
    for file in (lost, cut):
        response = await client.get(url_of(file))
        assert response.status_code == 404
        assert response.json()["message"] == f"The content of file {file['id']} is missing"
        assert await count_of(client, file) == 0


async def test_the_answer_without_an_object_says_nothing_of_the_store(
    running_app: RunningApp, store: Path, tmp_path: Path
) -> None:
    async with running_app() as own:
        file = await upload(own)
    in_the_way = tmp_path / "files"
    in_the_way.write_text("a file where the folder should be")
    async with running_app(data_dir=tmp_path) as own:
        response = await own.get(url_of(file))
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert str(tmp_path) not in response.text


async def test_what_the_client_goes_by_has_to_be_the_present_file(
    client: httpx.AsyncClient, file: JsonObject
) -> None:
    """In the order of RFC 9110 (13.2.2)."""
    tag = f'"{file["checksum"]}"'
    modified = (await client.get(url_of(file))).headers["last-modified"]
    early = "Mon, 01 Jan 2001 00:00:00 GMT"
    for headers, status in [
        ({"if-match": tag}, 200),
        ({"if-match": f'"a", {tag[:-1]}-gzip"'}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": '"other"'}, 412),
        ({"if-unmodified-since": modified}, 200),
        ({"if-unmodified-since": early}, 412),
        ({"if-unmodified-since": "nonsense"}, 200),
        ({"if-match": tag, "if-unmodified-since": early}, 200),
        ({"if-match": tag, "if-none-match": tag}, 304),
        ({"if-match": '"other"', "if-none-match": tag}, 412),
        ({"if-unmodified-since": early, "if-modified-since": modified}, 412),
        ({"if-unmodified-since": modified, "if-modified-since": modified}, 304),
        ({"if-match": tag, "range": "bytes=0-1"}, 206),
        ({"if-match": '"other"', "range": "bytes=0-1"}, 412),
        ({"if-unmodified-since": early, "range": f"bytes={SIZE}-"}, 412),
    ]:
        for method in ("GET", "HEAD"):
            response = await client.request(method, url_of(file), headers=headers)
            assert response.status_code == status, headers
