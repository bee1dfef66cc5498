"""Hostile names: shown as text, handed out safe, and never part of a path."""

import re
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

from features.files.storage.names import safe_name, shown_name
from features.files.tests.factories import FILES, FORM, UPLOAD, form, stored_objects

DISPOSITION = re.compile(
    r"attachment; filename=\"([\x20-\x7e]+)\"; filename\*=UTF-8''([!#$&+.^_`|~0-9A-Za-z%-]+)"
)


HOSTILE: list[tuple[str, str]] = [
    ("../../../etc/passwd.txt", "passwd.txt"),
    ("/etc/passwd.txt", "passwd.txt"),
    ("..\\..\\windows\\system.txt", "system.txt"),
    ("C:\\temp\\x.txt", "x.txt"),
    ("....//....//x.txt", "x.txt"),
    ("a%0d%0aSet-Cookie: x=1.txt", "a%0d%0aSet-Cookie_ x=1.txt"),
    ('quote\\".txt', "quote_.txt"),
    ("semi;colon.txt", "semi;colon.txt"),
    ("comma, and = sign.txt", "comma, and = sign.txt"),
    ("\u202etxt.exe.txt", "txt.exe.txt"),
    ("invoice\u202e\u2066gpj.txt", "invoicegpj.txt"),
    ("zero\u200bwidth\ufeff.txt", "zerowidth.txt"),
    ("été — 日本語 🎉.txt", "été — 日本語 🎉.txt"),
    ("e\u0301.txt", "é.txt"),
    ("%2e%2e%2fx.txt", "%2e%2e%2fx.txt"),
    ("nul.txt", "_nul.txt"),
    ("CON.txt", "_CON.txt"),
    ("a<b>c|d?e*f:g.txt", "a_b_c_d_e_f_g.txt"),
    (" .hidden.txt. ", "hidden.txt"),
    (".txt", "file.txt"),
    ("a\tb.txt", "ab.txt"),
    ("line\u2028break.txt", "linebreak.txt"),
    ("${HOME}`id`$(id).txt", "${HOME}`id`$(id).txt"),
    ("x" * 1000 + ".txt", "x" * 251 + ".txt"),
    ("é" * 996 + ".txt", "é" * 125 + ".txt"),
]


async def test_a_hostile_name_is_only_text(client: httpx.AsyncClient, store: Path) -> None:
    for sent, filename in HOSTILE:
        response = await client.post(UPLOAD, content=form(("file", sent, b"content")), headers=FORM)
        assert response.status_code == 201, (sent, response.text)
        data = response.json()["data"]
        assert data["filename"] == filename
        assert len(data["filename"].encode()) <= 255
        download = await client.get(f"{FILES}/{data['id']}/download")
        assert download.content == b"content"
        found = DISPOSITION.fullmatch(download.headers["content-disposition"])
        assert found, download.headers["content-disposition"]
        assert unquote(found[2]) == filename
        assert not set('"\\%;/') & set(found[1])
    keys = [path.relative_to(store).as_posix() for path in stored_objects(store)]
    assert len(keys) == len(HOSTILE)
    assert all(re.fullmatch(r"[0-9a-f]{2}/[0-9a-f-]{36}", key) for key in keys)


async def test_a_line_break_in_a_name_ends_its_header(client: httpx.AsyncClient, store: Path) -> None:
    body = form(("file", "a\r\nSet-Cookie: x=1\r\n.txt", b"content"))
    response = await client.post(UPLOAD, content=body, headers=FORM)
    assert response.status_code == 400
    assert "set-cookie" not in response.headers


async def test_a_nul_in_a_name_reaches_nothing(client: httpx.AsyncClient, store: Path) -> None:
    body = form(("file", "a.txt\0.png", b"content"))
    response = await client.post(UPLOAD, content=body, headers=FORM)
    assert response.status_code == 400
    assert "\0" not in response.text
    body = form(("file", "a\0b.txt", b"content"))
    data = (await client.post(UPLOAD, content=body, headers=FORM)).json()["data"]
    assert (data["filename"], data["originalName"]) == ("ab.txt", "ab.txt")


async def test_the_name_that_was_sent_is_kept_for_show(client: httpx.AsyncClient, store: Path) -> None:
    for sent, shown in [("../dir/ä?.txt", "../dir/ä?.txt"), ("y" * 2000 + ".txt", "y" * 1024)]:
        response = await client.post(UPLOAD, content=form(("file", sent, b"content")), headers=FORM)
        assert response.json()["data"]["originalName"] == shown


async def test_a_name_that_is_no_utf_8_is_refused(client: httpx.AsyncClient, store: Path) -> None:
    body = form(("file", "NAME.txt", b"content")).replace(b"NAME", b"caf\xe9")
    assert (await client.post(UPLOAD, content=body, headers=FORM)).status_code == 400


@pytest.mark.parametrize("sent", ["", "/", "\\", "..", " . ", "\u202e", "\ud800", "\0", "a/..", "x" * 5000])
def test_any_name_gives_a_safe_one(sent: str) -> None:
    name = safe_name(sent)
    assert 0 < len(name.encode()) <= 255
    assert name not in (".", "..")
    assert not re.search(r"[/\\\x00-\x1f]", name)
    assert 0 < len(shown_name(sent)) <= 1024
