"""Whatever a page or a form is sent, nothing crashes, and a person can read what comes back."""

import re
from collections.abc import Iterator
from itertools import cycle
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import pytest

from tests.console.forms import form_of, forms_of
from tests.console.pages import QUERIES, make_rows, routes
from tests.console.people import signed_in

if TYPE_CHECKING:
    from core.database.client import Database
    from tests.fixtures.application import RunningApp

pytestmark = pytest.mark.slow

VALUES = (
    "",
    "ü€\N{ROCKET}",
    "a\r\nSet-Cookie: b=c",
    "\0\x1b\x7f\ufffe",
    "5" * 5000,
    "1e300",
    "-0.5",
    "<script>alert(1)</script>",
    "/console/ü€\r\nX-Evil: 1",
    "//elsewhere.example",
    "..%2f%00%0a",
    ",".join('"' * 2 for _ in range(3000)) + '"',
    '{"a":' * 3000,
)
LONG = "x" * 200_000
SURROGATE = "%ED%A0%80"
"""A lone surrogate, as bytes of UTF-8 that are none."""


def readable(answer: httpx.Response) -> bool:
    """True for a page, a way to one, or what a script of the pages shows."""
    place = answer.headers.get("location", "") + answer.headers.get("hx-redirect", "")
    if answer.status_code in (204, 303) and place:
        return bool(place.isascii() and place.isprintable() and place.startswith("/console"))
    if answer.request.headers.get("hx-request"):
        return "hx-trigger" in answer.headers or answer.headers["content-type"].startswith("text/html")
    page = answer.headers.get("content-type", "").startswith("text/html") and "<h1" in answer.text
    return page and "<script>alert" not in answer.text


def check(answer: httpx.Response) -> None:
    about = (answer.request.method, str(answer.request.url)[:200], answer.status_code, answer.text[:200])
    assert answer.status_code < 500, about
    assert readable(answer), about


def written(values: tuple[str, ...]) -> Iterator[str]:
    yield from (quote(value, safe="") for value in (*values, LONG[:20_000]))
    yield SURROGATE


def test_every_page_is_walked() -> None:
    assert routes() == QUERIES.keys()


@pytest.fixture
def headers() -> Iterator[dict[str, str]]:
    """Of one request after the other: as a browser sends it by itself, and as the script of a page does."""
    return cycle([{}, {"hx-request": "true"}])


async def test_no_query_or_path_breaks_a_page(
    client: httpx.AsyncClient, headers: Iterator[dict[str, str]]
) -> None:
    rows = await make_rows(client)
    for path, names in QUERIES.items():
        for page in rows.page(path):
            plain = page.partition("?")[0]
            check(await client.get(plain, headers=next(headers)))
            for value in written(VALUES):
                for name in names:
                    check(await client.get(f"{plain}?{name}={value}", headers=next(headers)))
        if "{" in path:
            for value in filter(None, written(VALUES)):
                check(await client.get(f"/console{re.sub('{.*?}', value, path)}", headers=next(headers)))


async def test_no_form_breaks_a_page(client: httpx.AsyncClient, headers: Iterator[dict[str, str]]) -> None:
    rows = await make_rows(client)
    seen: set[tuple[str, str]] = set()
    for page in rows.pages:
        for place, fields in forms_of((await client.get(page)).text):
            sent = [fields]
            for name in {*fields, "next"} - {"csrf"}:
                if (place, name) not in seen:
                    sent += [{**fields, name: value} for value in (*VALUES, LONG)]
                    sent.append({each: text for each, text in fields.items() if each != name})
                seen.add((place, name))
            places = [re.sub("(?<=id=).*", value, place) for value in ("", quote(VALUES[1]), SURROGATE)]
            for given in sent:
                check(await client.post(place, data=given, headers=next(headers)))
            for other in {*places, place.partition("?")[0]} - {place}:
                check(await client.post(other, data=fields, headers=next(headers)))


@pytest.mark.parametrize(
    ("form", "field", "text"),
    [
        ("/console/save/idea", "estimatedHours", "1e300"),
        ("/console/save/idea", "tags", "a\nb"),
        ("/console/save/idea", "tags", LONG),
        ("/console/save/idea", "next", VALUES[8]),
        ("/console/name", "next", VALUES[8]),
        ("/console/name", "name", "\r\n\0"),
    ],
)
async def test_a_form_is_refused_or_goes_on(
    client: httpx.AsyncClient, form: str, field: str, text: str
) -> None:
    rows = await make_rows(client)
    place, fields = form_of((await client.get(rows.page("/ideas/{idea_id}")[0])).text, form)
    for headers in ({}, {"hx-request": "true"}):
        check(await client.post(place, data={**fields, field: text}, headers=headers))


async def test_no_header_or_cookie_breaks_a_page(client: httpx.AsyncClient) -> None:
    rows = await make_rows(client)
    page = rows.page("/items/item")[0]
    place, fields = form_of((await client.get(page)).text, "/console/save/item")
    for value in (*VALUES, LONG[:20_000]):
        latin = (
            value.encode("ascii", "replace").decode().replace("\r", "").replace("\n", "").replace("\0", "")
        )
        for name in ("hx-request", "x-csrf-token", "x-forwarded-proto", "accept", "range", "if-none-match"):
            answer = await client.get(page, headers={name: latin})
            assert answer.status_code in (200, 304), (name, answer.status_code)
            assert (await client.post(place, data=fields, headers={name: latin})).status_code < 500, name
            check(await client.get("/console/nowhere", headers={name: latin}))
        for name in ("handover_name", "handover_flash", "handover_session"):
            cookie = {"cookie": f"{name}={quote(value, safe='')}"}
            check(await client.get(page, headers=cookie))
            check(await client.post(place, data={**fields, "description": f"New {name}"}, headers=cookie))


async def test_a_name_of_control_characters_signs_nothing(client: httpx.AsyncClient) -> None:
    await client.post("/console/name", data={"name": "a\r\nb\x1b\u202e"})
    rows = await make_rows(client)
    place, fields = form_of((await client.get(rows.page("/items/item")[0])).text, "/console/save/item")
    assert (await client.post(place, data={**fields, "description": "New"})).status_code == 303


async def test_no_form_of_keys_or_of_the_sign_in_breaks(running_app: "RunningApp", db: "Database") -> None:
    async with running_app(auth="keys") as client:
        for value in VALUES:
            check(
                await client.get("/console/sign-in", headers={"cookie": f"handover_session={quote(value)}"})
            )
        await signed_in(client, db, "admin")
        place, fields = form_of((await client.get("/console/keys")).text, "/console/keys")
        for name in {*fields, "days"}:
            for value in VALUES:
                check(await client.post(place, data={**fields, "name": "ada", name: value}))
        made = len((await client.get("/console/api/v1/keys")).json()["data"])
        for days in ("soon", "0", "-1", "100000", "1.5", "1 000"):
            refused = await client.post(place, data={**fields, "name": "ada", "days": days})
            assert (refused.status_code, "whole number" in refused.text) == (400, True), days
        assert len((await client.get("/console/api/v1/keys")).json()["data"]) == made
        for name in ("key", "next"):
            for value in VALUES:
                answer = await client.post("/console/sign-in", data={"key": "no", name: value})
                check(answer)
