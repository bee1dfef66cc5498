"""Forms as clients write them: what comes before the first boundary, names and texts in other charsets."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from features.files.tests.factories import FORM, UPLOAD, stored_objects


def raw(*parts: tuple[str, bytes]) -> bytes:
    return (
        b"".join(
            b"------b\r\n%b\r\n\r\n%b\r\n" % (head.encode("latin-1"), content) for head, content in parts
        )
        + b"------b--\r\n"
    )


PLAIN = ('Content-Disposition: form-data; name="file"; filename="a.txt"', b"text")
DESCRIPTION = 'Content-Disposition: form-data; name="description"'


@pytest.mark.parametrize(
    "preamble",
    [
        b"\r\n",
        b"This is a multipart message.\r\n",
        b"x" * 100_000 + b"\r\n",
        b"-\r\n------bc\r\nx ------b\r\n",
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1_000_000])
async def test_a_preamble_is_passed_by(
    client: httpx.AsyncClient, store: Path, preamble: bytes, size: int
) -> None:
    body = preamble + raw(PLAIN, (DESCRIPTION, b"words"))

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size if len(body) < 5000 else max(size, 997)):
            yield body[start : start + (size if len(body) < 5000 else max(size, 997))]

    response = await client.post(UPLOAD, content=pieces(), headers=FORM)
    assert response.status_code == 201, response.text
    assert response.json()["data"]["description"] == "words"


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("filename*=UTF-8''%e2%82%ac%20rates.txt", "€ rates.txt"),
        ("FileName* = iso-8859-1'en'%A3.txt", "£.txt"),
        ("filename=\"plain.txt\"; filename*=UTF-8''other.txt", "plain.txt"),
        ("filename=\"a; filename*=UTF-8''b.txt\"", "a; filename*=UTF-8''b.txt"),
    ],
)
async def test_an_extended_name_alone_is_a_file_name(
    client: httpx.AsyncClient, store: Path, disposition: str, name: str
) -> None:
    body = raw((f'Content-Disposition: form-data; name="file"; {disposition}', b"text"))
    response = await client.post(UPLOAD, content=body, headers=FORM)
    assert response.status_code == 201, response.text
    assert response.json()["data"]["originalName"] == name


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([PLAIN, (DESCRIPTION, b"caf\xe9")], '"description" is not text in utf-8'),
        (
            [PLAIN, (DESCRIPTION + "\r\nContent-Type: text/plain; charset=us-ascii", b"caf\xc3\xa9")],
            "us-ascii",
        ),
        ([PLAIN, (DESCRIPTION + "\r\nContent-Type: text/plain; charset=nonsense", b"a")], "nonsense"),
        (
            [('Content-Disposition: form-data; name="file"; filename="caf\xe9.txt"', b"text")],
            "name of a file",
        ),
        (
            [("Content-Disposition: form-data; name=\"file\"; filename*=UTF-8''caf%e9.txt", b"text")],
            "name of a file",
        ),
        ([PLAIN, ('Content-Disposition: form-data; name="caf\xe9"', b"a")], "name of a field"),
        (
            [('Content-Disposition: form-data; name="file"; filename=""', b"")],
            'No file was chosen for "file"',
        ),
    ],
)
async def test_what_is_not_text_is_refused_and_not_replaced(
    client: httpx.AsyncClient, store: Path, parts: list[tuple[str, bytes]], message: str
) -> None:
    response = await client.post(UPLOAD, content=raw(*parts), headers=FORM)
    assert response.status_code == 400
    assert message in response.json()["message"]
    assert stored_objects(store) == []


async def test_a_field_is_read_in_its_charset(client: httpx.AsyncClient, store: Path) -> None:
    head = DESCRIPTION + "\r\nContent-Type: text/plain; charset=ISO-8859-1"
    response = await client.post(UPLOAD, content=raw(PLAIN, (head, b"caf\xe9")), headers=FORM)
    assert response.json()["data"]["description"] == "café"
