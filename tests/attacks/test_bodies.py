"""Bodies that are no JSON, too much JSON, or JSON that parsers disagree about."""

import gzip
import zlib

import httpx
import pytest

from tests.attacks.shapes import check

ITEM = b'{"title": "T", "description": "D", "category": "dashboard", "priority": "low", "tags": []}'
JSON = "application/json"

BODIES = {
    "nothing": b"",
    "spaces": b" " * 10_000_000,
    "spaces within the limit": b" " * 1_000_000 + ITEM,
    "deep lists": b"[" * 400_000,
    "closed deep lists": b"[" * 200_000 + b"]" * 200_000,
    "deep objects": b'{"a":' * 150_000 + b"1" + b"}" * 150_000,
    "deep in a field": ITEM[:-3] + b"[" * 5_000 + b"]" * 5_000 + b"]}",
    "wide": b"[" + b"1," * 400_000 + b"1]",
    "many keys": b"{" + b",".join(b'"k%d":1' % n for n in range(60_000)) + b"}",
    "equal keys": ITEM[:-1] + b', "title": "second"}' * 1,
    "a huge number": ITEM[:-1] + b', "n": ' + b"9" * 500_000 + b"}",
    "a huge exponent": ITEM[:-1] + b', "n": 1e999999999}',
    "not a number": ITEM[:-1] + b', "title": NaN}',
    "infinity": b'{"title": -Infinity}',
    "lone surrogate": ITEM.replace(b'"T"', b'"\\ud800"'),
    "reversed surrogates": ITEM.replace(b'"T"', b'"\\udc00\\ud800"'),
    "escaped nul": ITEM.replace(b'"T"', b'"a\\u0000b"'),
    "nul": ITEM.replace(b"T", b"\x00"),
    "not utf-8": ITEM.replace(b"T", b"\xff\xfe"),
    "overlong": ITEM.replace(b"T", b"\xc0\xaf"),
    "byte order mark": b"\xef\xbb\xbf" + ITEM,
    "utf-16": ITEM.decode().encode("utf-16"),
    "utf-32": ITEM.decode().encode("utf-32"),
    "half": ITEM[: len(ITEM) // 2],
    "twice": ITEM + ITEM,
    "a comment": b"/* */" + ITEM,
    "prototype": b'{"__proto__": {"title": "T"}, "constructor": {}}',
    "a list": b"[" + ITEM + b"]",
    "a text": b'"text"',
    "gzip": gzip.compress(ITEM),
    "bomb": zlib.compress(b" " * 50_000_000),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("path", ["/api/items", "/api/v1/systems", "/api/v1/ideas"])
async def test_bodies(client: httpx.AsyncClient, path: str, name: str) -> None:
    for headers in ({"content-type": JSON}, {"content-type": JSON, "content-encoding": "gzip"}):
        response = await client.post(path, content=BODIES[name], headers=headers)
        check(response, name)
        if "content-encoding" in headers:
            assert response.status_code == 415
        elif len(BODIES[name]) > 1_048_576:
            assert response.status_code == 413


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "text/html",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "a/b;" * 500,
        "",
    ],
)
async def test_other_media_types(client: httpx.AsyncClient, kind: str) -> None:
    response = await client.post("/api/items", content=ITEM, headers={"content-type": kind})
    check(response, kind)
    assert response.status_code in (400, 415)


MULTIPART = {
    "no boundary": ("multipart/form-data", b"--b\r\n"),
    "a long boundary": ("multipart/form-data; boundary=" + "b" * 70_000, b"--b\r\n"),
    "never closed": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n',
    ),
    "no names": ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n"),
    "a long header": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="'
        + b"a" * 300_000
        + b'"\r\n\r\nx\r\n--b--\r\n',
    ),
    "many headers": (
        "multipart/form-data; boundary=b",
        b"--b\r\n"
        + b"A: b\r\n" * 50_000
        + b'Content-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n',
    ),
    "many parts": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' * 20_000 + b"--b--\r\n",
    ),
    "nul in the name": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a\x00.txt"\r\n\r\nx\r\n--b--\r\n',
    ),
    "another charset": (
        "multipart/form-data; boundary=b; charset=utf-7",
        b'--b\r\nContent-Disposition: form-data; name="description"\r\n\r\n+AGE-\r\n--b--\r\n',
    ),
    "encoded name": (
        "multipart/form-data; boundary=b",
        b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename*=UTF-8''..%2f..%2fa.txt\r\n\r\n"
        b"x\r\n--b--\r\n",
    ),
    "transfer encoding": (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n!\r\n--b--\r\n",
    ),
}


@pytest.mark.parametrize("name", MULTIPART)
@pytest.mark.parametrize("path", ["/api/v1/files/upload", "/api/v1/files/upload-multiple", "/api/v1/imports"])
async def test_forms(client: httpx.AsyncClient, path: str, name: str) -> None:
    kind, body = MULTIPART[name]
    check(await client.post(path, content=body, headers={"content-type": kind}), name)
