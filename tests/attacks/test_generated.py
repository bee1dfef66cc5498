"""Generated ids, paths, headers and forms: whatever comes, the server stays in order."""

from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.settings import Settings
from tests.attacks.shapes import HEADERS, TEXTS, check
from tests.contract.serving import Send, serving, strict_app
from tests.fixtures.application import BASE_URL

pytestmark = pytest.mark.slow

generated = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
texts = st.one_of(st.text(max_size=200), st.sampled_from(list(TEXTS.values())))
raw = st.one_of(st.binary(max_size=200), texts.map(lambda text: text.encode("utf-8", "surrogatepass")))
one_of_a_kind = (
    "/api/items",
    "/api/v1/systems",
    "/api/v1/ideas",
    "/api/v1/files",
    "/api/v1/jobs",
    "/api/v1/search/documents",
)


@pytest.fixture(scope="module")
def send(settings: Settings) -> Iterator[Send]:
    with serving(strict_app(settings)) as send:
        yield send


def headed(value: bytes) -> bytes:
    """What a server lets pass as the value of a header."""
    return bytes(byte for byte in value if byte == 9 or 32 <= byte != 127)


@generated
@given(
    st.sampled_from(one_of_a_kind), raw, st.sampled_from(["GET", "PUT", "DELETE", "POST", "HEAD", "PATCH"])
)
def test_ids(send: Send, collection: str, name: bytes, method: str) -> None:
    body = b"{}" if method in ("PUT", "POST", "PATCH") else None
    headers = {"content-type": "application/json"} if body else {}
    check(
        send(
            httpx.Request(
                method, f"{BASE_URL}{collection}/{quote(name, safe='')}", content=body, headers=headers
            )
        ),
        repr(name),
    )


@generated
@given(
    st.lists(
        st.one_of(raw, st.sampled_from([b"..", b".", b"", b"%2e%2e", b"api", b"v1", b"spec", b"docs"])),
        max_size=6,
    )
)
def test_paths(send: Send, parts: list[bytes]) -> None:
    path = "/".join(quote(part, safe="%") for part in parts)
    check(send(httpx.Request("GET", f"{BASE_URL}/{path}")), repr(parts))


@generated
@given(st.dictionaries(st.sampled_from(HEADERS), raw, min_size=1, max_size=5))
def test_headers(send: Send, headers: dict[str, bytes]) -> None:
    sent = [(name.encode(), headed(value)) for name, value in headers.items()]
    item = b'{"title": "T", "description": "D", "category": "dashboard", "priority": "low"}'
    for request in (
        httpx.Request("GET", f"{BASE_URL}/api/items?limit=1", headers=sent),
        httpx.Request(
            "POST",
            f"{BASE_URL}/api/items",
            headers=[*sent, (b"content-type", b"application/json")],
            content=item,
        ),
        httpx.Request("GET", f"{BASE_URL}/api/v1/files/none/download", headers=sent),
    ):
        check(send(request), repr(headers))


parts = st.builds(
    lambda name, filename, kind, content: (
        b'--b\r\nContent-Disposition: form-data; name="%b"; filename="%b"\r\n'
        b"Content-Type: %b\r\n\r\n%b\r\n" % (name, filename, kind, content)
    ),
    st.one_of(st.sampled_from([b"file", b"files", b"description", b"source"]), raw),
    st.one_of(st.sampled_from([b"a.txt", b"a.png", b"a.pdf", b"../a.txt", b"a.txt\x00.exe", b"a.svg"]), raw),
    st.one_of(st.sampled_from([b"text/plain", b"image/png", b"application/pdf"]), raw),
    st.one_of(
        raw,
        st.sampled_from(
            [b"%PDF-1.7\n<script>", b"\x89PNG\r\n\x1a\n<?php", b"PK\x03\x04" + b"\0" * 50, b"GIF89a/*"]
        ),
    ),
)


@generated
@given(st.lists(parts, max_size=7), st.sampled_from([b"--b--\r\n", b"--b--", b"", b"--b\r\n"]))
def test_forms(send: Send, sent: list[bytes], end: bytes) -> None:
    for path in ("/api/v1/files/upload", "/api/v1/files/upload-multiple", "/api/v1/imports"):
        request = httpx.Request(
            "POST",
            f"{BASE_URL}{path}",
            headers={"content-type": "multipart/form-data; boundary=b"},
            content=b"".join(sent) + end,
        )
        answer = send(request)
        if answer.status_code != 207:
            check(answer, repr(sent))
