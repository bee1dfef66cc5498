"""Conditions and codings of reads, alike whether an answer took the long way or came before routing."""

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from features.items.tests.factories import create
from tests.http.test_response_cache import lasting, layer_of

ENCODINGS = (
    "identity",
    "gzip",
    "GZIP",
    "x-gzip",
    "*",
    "br, gzip",
    "gzip ; q=0.5",
    "gzip\t;\tq=1.000",
    "gzip;q=0",
    "gzip;q=0.000, *",
    "*;q=0",
    "gzip;q=1.5",
    "gzip;q=none",
    "gzip;q=",
    "gzip;q=0.2, identity;q=0.7",
    "deflate, notgzip",
)
CONDITIONS = (
    ("accept", "application/json"),
    ("if-none-match", "TAG"),
    ("if-none-match", "W/TAG"),
    ("if-none-match", "*"),
    ("if-none-match", '"other"'),
    ("if-match", "TAG"),
    ("if-match", '"other"'),
    ("if-match", ""),
    ("if-unmodified-since", "Mon, 01 Jan 2001 00:00:00 GMT"),
    ("if-modified-since", "Mon, 01 Jan 2040 00:00:00 GMT"),
)


@pytest_asyncio.fixture(loop_scope="session")
async def item(client: httpx.AsyncClient) -> str:
    """Its URL. Long enough to be compressed."""
    made = await create(client, description="many words " * 200)
    return f"/api/items/{made['id']}"


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_both_ways_take_conditions_and_codings_alike(
    app: FastAPI, client: httpx.AsyncClient, item: str, encoding: str
) -> None:
    short = f"/api/items/{(await create(client, description='few words'))['id']}"
    for url in (item, short):
        tag = (await client.get(url, headers={"accept-encoding": "identity"})).headers["etag"]
        for name, value in CONDITIONS:
            headers = [("accept-encoding", encoding), (name, value.replace("TAG", tag))]
            layer_of(app)._known.clear()
            await client.get(f"{url}?")  # the same answer, elsewhere: both ways find it in the cache
            routed = await client.get(url, headers=headers)
            await client.get(url)
            known = await client.get(url, headers=headers)
            assert known.status_code == routed.status_code, (name, value)
            one, two = lasting(routed), lasting(known)
            if "content-encoding" in one:
                assert one.pop("content-length") > "0" < two.pop("content-length")
            assert one == two, (name, value)
            assert known.content == routed.content
            whole = await client.get(url, headers={"accept-encoding": encoding})
            if known.status_code == 304:
                assert known.headers.get("vary") == whole.headers.get("vary")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"if-match": "TAG"}, 200),
        ({"if-match": "*"}, 200),
        ({"if-match": '"other"'}, 412),
        ({"if-match": '"other"', "if-none-match": "TAG"}, 412),
        ({"if-match": "TAG", "if-none-match": "TAG"}, 304),
        ({"if-match": "TAG", "if-none-match": '"other"'}, 200),
        ({"if-unmodified-since": "Mon, 01 Jan 2001 00:00:00 GMT"}, 200),
        ({"if-modified-since": "Mon, 01 Jan 2040 00:00:00 GMT"}, 200),
    ],
)
async def test_conditions_in_their_order(
    client: httpx.AsyncClient, item: str, sent: dict[str, str], status: int
) -> None:
    """No date is known of these answers, so conditions on dates do not count (RFC 9110, 13.1.4)."""
    for url in (item, "/api/items", "/api/v1/stats/ideas", "/openapi.json", "/spec/openapi.yaml"):
        for _ in range(2):
            tag = (await client.get(url)).headers["etag"]
            headers = {name: value.replace("TAG", tag) for name, value in sent.items()}
            for method in ("GET", "HEAD"):
                answer = await client.request(method, url, headers=headers)
                assert answer.status_code == status, (method, url)
                if status == 412 and method == "GET":
                    assert "If-Match" in answer.json()["message"]


@pytest.mark.parametrize("suffix", ["-gzip", "-br", "-zstd", "-deflate", "--gzip"])
async def test_a_tag_that_a_proxy_marked_is_the_same_tag(
    client: httpx.AsyncClient, item: str, suffix: str
) -> None:
    for url in (item, "/api/items", "/openapi.json"):
        plain = (await client.get(url)).headers["etag"].removeprefix("W/")
        marked = f'{plain[:-1]}{suffix}"'
        for tag in (marked, f"W/{marked}", f'"other" ,W/{marked}'):
            for _ in range(2):
                assert (await client.get(url, headers={"if-none-match": tag})).status_code == 304
                assert (await client.get(url, headers={"if-match": tag})).status_code == 200
    several = [("if-none-match", '"other"'), ("if-none-match", (await client.get(item)).headers["etag"])]
    assert (await client.get(item, headers=several)).status_code == 304
    tag = (await client.get(item)).headers["etag"].removeprefix("W/")
    changed = await client.put(item, json={"title": "New"}, headers={"if-match": f'{tag[:-1]}{suffix}"'})
    assert changed.status_code == 200
