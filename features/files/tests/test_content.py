"""The content must be what the name says; nothing that is stored can run where it is downloaded from."""

import zlib
from pathlib import Path

import httpx

from features.files.tests.factories import (
    FILES,
    JPEG,
    OLE,
    PDF,
    PNG,
    SAMPLES,
    SVG,
    office,
    ole,
    send,
    stored_objects,
    upload,
    zipped,
)

HTML = b"<!DOCTYPE html><html><script>alert(1)</script></html>"


REFUSED: list[tuple[str, bytes, str]] = [
    ("a.png", JPEG, "image/jpeg"),
    ("a.jpg", PNG, "image/png"),
    ("a.png", HTML, "text/html"),
    ("a.png", b"plain text", "text/plain"),
    ("a.png", SVG, "image/svg+xml"),
    ("a.pdf", zipped("x"), "application/zip"),
    ("a.pdf", b"\n%PDF-1.7", "text/plain"),
    ("a.zip", PDF, "application/pdf"),
    ("a.docx", zipped("word.txt"), "application/zip"),
    ("a.docx", office("xl"), "application/zip"),
    ("a.xlsx", office("word"), "application/zip"),
    ("a.docx", ole("WordDocument"), "application/x-ole-storage"),
    ("a.doc", ole("Workbook"), "application/x-ole-storage"),
    ("a.doc", OLE, "application/x-ole-storage"),
    ("a.doc", office("word"), "application/zip"),
    ("a.webp", b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(20), "audio"),
    ("a.gif", b"GIF90a", "text/plain"),
    ("a.rar", b"\x7fELF\x02\x01\x01" + bytes(60), ""),
    ("a.txt", HTML, "text/html"),
    ("a.txt", b"\xef\xbb\xbf \n<HTML lang=x>", "text/html"),
    ("a.txt", "<!doctype html>".encode("utf-16"), "text/html"),
    ("a.txt", SVG, "image/svg+xml"),
    ("a.txt", b"<?xml version='1.0'?><a/>", "application/xml"),
    ("a.txt", b"MZ\x90\x00\x03", ""),
    ("a.txt", b"text" * 200_000 + b"\0", ""),
    ("a.txt", b"\xff\xfe\x00\xd8\x00\x00", ""),
    ("a.md", b"<script>1</script>", "text/html"),
    ("a.md", b"<!-- hidden --><iframe src=x>", "text/html"),
    ("a.csv", HTML, "text/html"),
    ("a.csv", PDF, "application/pdf"),
    ("a.json", HTML, "text/html"),
    ("a.json", b"'single'", "text/plain"),
    ("a.json", b'{"a": "\xe7"}', ""),
    ("a.json", '{"a": 1}'.encode("utf-16"), ""),
    ("a.yaml", b"a: \xe7", ""),
    ("a.yaml", HTML, "text/html"),
    ("a.svg", HTML, "text/html"),
    ("a.svg", b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>", "text/html"),
    ("a.svg", b"just text", "text/plain"),
    ("a.svg", b"<math/>", "text/plain"),
    ("a.xml", HTML, "text/html"),
    ("a.xml", b"no tag", "text/plain"),
    ("a.xml", PNG, "image/png"),
]
"""Name, content, and the beginning of what the content is found to be."""

HONEST: list[tuple[str, bytes]] = [
    ("a.txt", "Ação".encode("latin-1")),
    ("a.txt", b"\xef\xbb\xbfwith a mark"),
    ("a.csv", "a;ç\r\n".encode("utf-16")),
    ("a.txt", b"x"),
    ("a.txt", "€".encode()),
    ("a.txt", ("é" * 300_000).encode()),
    ("a.txt", b"\x1b[31mred\x1b[0m\f"),
    ("a.txt", b"a < b, <b>bold</b>"),
    ("a.md", b"<div>\n\n# Title"),
    ("a.xls", ole("Book")),
    ("a.docx", ole("EncryptedPackage")),
    ("a.zip", office("word")),
    ("a.zip", zipped()),
    ("a.rar", b"Rar!\x1a\x07\x00" + bytes(20)),
    ("a.json", b'  \n"text"'),
    ("a.json", b"-1"),
    ("a.xml", b"<!DOCTYPE note [<!ENTITY x 'y'>]><note/>"),
    ("a.xml", "<?xml version='1.0' encoding='UTF-16'?><a/>".encode("utf-16")),
    ("a.xml", b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe7</a>"),
    ("a.svg", b"<svg:svg xmlns:svg='x'/>"),
    ("a.svg", b"<!DOCTYPE svg PUBLIC '-//W3C' 'x' [<!ENTITY ns 'y'>]><svg/>"),
]


async def test_content_that_is_not_what_the_name_says_is_refused_naming_both(
    client: httpx.AsyncClient, store: Path
) -> None:
    for name, content, found in REFUSED:
        response = await send(client, name, content)
        assert response.status_code == 400, (name, content[:40])
        message = response.json()["message"]
        assert message.startswith(f"File content is {found}"), (name, content[:40])
        assert f"the extension .{name.split('.')[1]} (" in message
    assert stored_objects(store) == []


async def test_unusual_but_honest_content_is_taken(client: httpx.AsyncClient, store: Path) -> None:
    for name, content in HONEST:
        response = await send(client, name, content)
        assert response.status_code == 201, (name, content[:40])
        download = await client.get(f"{FILES}/{response.json()['data']['id']}/download")
        assert download.content == content


async def test_a_name_without_an_allowed_extension_is_refused(client: httpx.AsyncClient, store: Path) -> None:
    wrong = [
        "run.exe",
        "page.html",
        "page.htm",
        "x.xhtml",
        "noextension",
        "a.txt.exe",
        "a.tar.gz",
        ".htaccess",
    ]
    for name in wrong:
        response = await send(client, name, b"MZ")
        assert response.status_code == 400
        assert "is not allowed; allowed: .pdf, .doc" in response.json()["message"], name


async def test_the_last_extension_decides(client: httpx.AsyncClient, store: Path) -> None:
    assert (await upload(client, "page.html.png", PNG))["mimetype"] == "image/png"
    assert (await send(client, "image.png.html", PNG)).status_code == 400


RUNNABLE: list[tuple[str, bytes]] = [
    ("evil.svg", SVG),
    ("evil.xml", b"<?xml version='1.0'?><x:script xmlns:x='http://www.w3.org/1999/xhtml'>1</x:script>"),
    ("evil.png", PNG + HTML),
    ("evil.gif", b"GIF89a/*" + HTML + b"*/=1;"),
    ("evil.pdf", PDF + HTML),
    ("evil.zip", zipped("x") + HTML),
    ("evil.txt", b"x" + HTML),
    ("evil.md", b"# Title\n" + HTML),
]


async def test_what_could_run_is_served_so_that_it_cannot(client: httpx.AsyncClient, store: Path) -> None:
    for name, content in RUNNABLE:
        data = await upload(client, name, content)
        response = await client.get(f"{FILES}/{data['id']}/download")
        assert response.headers["content-type"] == data["mimetype"] != "text/html"
        assert response.headers["content-disposition"].startswith("attachment;")
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "sandbox; default-src 'none'" in response.headers.get_list("content-security-policy")


async def test_a_zip_bomb_is_only_stored(client: httpx.AsyncClient, store: Path) -> None:
    """200 MB of zeros in a local file entry: nobody unpacks them."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(200)) + deflate.flush()
    header = b"PK\x03\x04" + bytes(4) + b"\x08\x00" + bytes(16) + b"\x01\x00\x00\x00" + b"x"
    data = await upload(client, "bomb.zip", header + packed)
    assert data["size"] == len(header) + len(packed)
    assert [path.stat().st_size for path in stored_objects(store)] == [data["size"]]


def test_every_published_extension_has_a_sample() -> None:
    from features.files.storage.formats import FORMATS

    assert list(SAMPLES) == list(FORMATS)
