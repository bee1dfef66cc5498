"""Hostile values, and what no answer may show."""

import re
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]

TEXTS = {
    "traversal": "../../../../etc/passwd",
    "encoded traversal": "..%2f..%2f..%2fetc%2fpasswd",
    "backslashes": "..\\..\\windows\\win.ini",
    "nul": "a\x00b",
    "line break": "a\r\nSet-Cookie: stolen=1\r\n\r\n<script>",
    "quote": "' OR 1=1; DROP TABLE items; --",
    "dollar": "$1); SELECT pg_sleep(30); --",
    "shell": "$(reboot) `reboot` ; reboot |",
    "template": "{{7*7}} ${7*7} <%= 7*7 %> %s %n {0}",
    "markup": "<script>alert(1)</script>",
    "text search": "a & | ! ( ) :* <-> 'b' \\",
    "pattern": "(a+)+$%_*?[",
    "right to left": "\u202egnp.exe\u2066",
    "combining": "a" + "\u0301" * 500,
    "astral": "\U0001f4a3" * 300,
    "long": "A" * 6_000,
    "spaces": " " * 3_000,
    "digits": "9" * 400,
    "exponent": "1e400",
    "negative": "-1",
    "not a number": "NaN",
    "far future": "+275760-09-13T00:00:00.001Z",
    "year zero": "0000-00-00T00:00:00Z",
    "json": '{"$ne": null}',
    "empty": "",
}

HEADERS = (
    "x-user-id",
    "x-request-id",
    "if-none-match",
    "if-match",
    "if-range",
    "range",
    "accept",
    "accept-encoding",
    "origin",
    "cookie",
    "x-forwarded-for",
    "forwarded",
    "idempotency-key",
    "authorization",
    "last-event-id",
)

_INSIDE = re.compile(
    rf"Traceback|File \"|prisma|asyncpg|pydantic|SELECT |INSERT |postgresql://|/site-packages|{re.escape(str(ROOT))}"
)


def check(response: httpx.Response, sent: str) -> None:
    """No fault, nothing of the inside, no header of the attacker's."""
    where = f"{response.request.method} {response.request.url!s:.300} with {sent!r:.120}"
    assert response.status_code < 500, f"{response.status_code} to {where}: {response.text[:300]}"
    assert "set-cookie" not in response.headers, where
    if response.status_code < 400:
        return
    found = _INSIDE.search(response.text)
    told = found is not None and found[0].strip() not in sent  # a message may repeat what was sent
    assert not told, f"{found} in the answer to {where}: {response.text[:500]}"
    if response.request.method != "HEAD" and response.status_code != 416:
        body: dict[str, Any] = response.json()
        assert body["success"] is False, where
        assert body["message"], where
