"""What is refused, whoever asks: in words, without a crash, and nothing is done twice or offered in vain."""

import re
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

import pytest

from core.http.request import access
from features.console.router import items, router
from features.keys.tests.factories import bearer, make_key
from tests.console.forms import form_of, forms_of
from tests.console.pages import make_rows
from tests.console.people import sign_in, signed_in, token_of

if TYPE_CHECKING:
    import httpx

    from core.database.client import Database
    from tests.fixtures.application import RunningApp

SECRET = re.compile(r"(?:hv_[0-9a-f]{12}_[0-9a-f]{64}|whsec_[A-Za-z0-9+/=]+)")
SCRIPT = {"hx-request": "true"}


@pytest.mark.parametrize(
    "path",
    [
        "/%63onsole/api/items",
        "/console/%61pi/items",
        "/console%2Fapi/items",
        "/console/api%2Fitems",
        "/console/api/%2563onsole/api/items",
        "/console/api/%2e%2e/console/api/items",
        "/console/api/..%2Fconsole%2Fapi%2Fitems",
        "/console/api/%2Fconsole/api/items",
        "/console/api//console/api/items",
        "/%63onsole/%63onsole/api/items",
    ],
)
async def test_what_is_passed_on_never_comes_back(client: "httpx.AsyncClient", path: str) -> None:
    assert (await client.get(path)).status_code == 404
    assert (await client.post(path, json={})).status_code in (404, 405)
    assert (await client.get("/console/api/items")).status_code == 200


@pytest.mark.parametrize("path", ["/nowhere", "/items/a/b", "/%00", "/static", "/ideas/none/more"])
async def test_where_no_page_is_a_person_reads_so_and_a_script_hears_it(
    client: "httpx.AsyncClient", path: str
) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        page = await client.request(method, f"/console{path}")
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8"), method
        assert "<h1" in page.text
        toast = await client.request(method, f"/console{path}", headers=SCRIPT)
        assert (toast.status_code, '"tone":"bad"' in toast.headers["hx-trigger"]) == (404, True)
        passed = await client.request(method, f"/console/api{path}")
        assert (passed.status_code >= 400, passed.json()["success"]) == (True, False)


async def test_a_method_that_a_page_does_not_take_is_told_as_a_page(client: "httpx.AsyncClient") -> None:
    for path in {str(route.path) for route in router.routes}:  # type: ignore[attr-defined]
        if path in ("/console/api/{path:text}", "/console/{path:text}"):
            continue
        answer = await client.request("PATCH", re.sub("{.*?}", "x", path))
        assert (answer.status_code, "<h1" in answer.text) == (405, True), path
        assert answer.headers["allow"] in ("GET", "POST", "GET, POST")


async def test_a_crash_is_a_page_too(client: "httpx.AsyncClient", monkeypatch: pytest.MonkeyPatch) -> None:
    async def crash(*_: object) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(items, "one_page", crash)
    page = await client.get("/console/items/item?id=a")
    assert (page.status_code, "Internal server error" in page.text, "<h1" in page.text) == (500, True, True)
    assert "secret" not in page.text
    assert (await client.get("/console/items/item?id=a", headers=SCRIPT)).headers["hx-trigger"]


@pytest.mark.parametrize(
    "origin", ["https://elsewhere.example", "null", "http://localhost.elsewhere.example"]
)
async def test_without_fetch_metadata_a_form_of_another_origin_is_refused(
    running_app: "RunningApp", db: "Database", origin: str
) -> None:
    async with running_app(auth="keys") as client:
        key = await make_key(db, "admin", "ada")
        given = {"key": key.key, "next": "/console"}
        refused = await client.post("/console/sign-in", data=given, headers={"origin": origin})
        assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)
        own = await client.post("/console/sign-in", data=given, headers={"origin": "http://localhost"})
        assert own.status_code == 303
        fields = {"csrf": await token_of(client), "name": "new", "scope": "read"}
        for headers, status in (({"origin": origin}, 403), ({"origin": "http://localhost"}, 200)):
            made = await client.post("/console/keys", data=fields, headers=headers)
            assert made.status_code == status
        page = await client.get("/console")
        assert page.headers.get_list("referrer-policy") == ["same-origin"], "else its forms have no origin"


async def test_after_its_key_is_revoked_a_session_sees_no_page_and_is_told_why(
    running_app: "RunningApp", db: "Database", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "FAILURES", 10_000)
    async with running_app(auth="keys") as client:
        root = bearer(await make_key(db, "admin", "root"))
        client.headers.update(root)
        rows = await make_rows(client)
        for name in root:
            del client.headers[name]
        for scope in ("read", "admin"):
            pages = [page for page in rows.pages if not page.startswith("/console/sign-in")]
            for headers in ({}, SCRIPT):
                key = await make_key(db, scope, "ada")
                await sign_in(client, key.key)
                cookie = client.cookies["handover_session"]
                assert (await client.get("/console", headers=headers)).status_code == 200
                await client.delete(f"/api/v1/keys/{key.id}", headers=root)
                for page in pages:
                    client.cookies.clear()
                    client.cookies.set("handover_session", cookie, path="/console")
                    ended = await client.get(page, headers=headers)
                    if ended.status_code == 403:
                        assert scope == "read", page
                        continue
                    place = ended.headers.get("location", ended.headers.get("hx-redirect", ""))
                    assert place.startswith("/console/sign-in"), (page, ended.status_code)
                    assert 'handover_session=""; expires' in ended.headers["set-cookie"]
                    client.cookies.delete("handover_session")
                    assert "your key was revoked or has expired" in (await client.get(place)).text, page


@pytest.mark.parametrize("scope", ["read", "write", "admin"])
async def test_no_page_has_a_form_that_would_be_refused(
    running_app: "RunningApp", db: "Database", scope: Literal["read", "write", "admin"]
) -> None:
    async with running_app(auth="keys") as client:
        root = bearer(await make_key(db, "admin", "root"))
        client.headers.update(root)
        rows = await make_rows(client)
        for name in root:
            del client.headers[name]
        await signed_in(client, db, scope, "ada")
        offered: dict[str, dict[str, str]] = {}
        for page in rows.pages:
            answer = await client.get(page)
            assert answer.status_code in ((200, 303) if scope == "admin" else (200, 303, 403)), page
            for place, fields in forms_of(answer.text):
                offered.setdefault(place, fields)
            if scope == "read":
                for offer in ("data-edit", 'draggable="true"', 'type="file"', "/console/new/"):
                    assert offer not in answer.text, (page, offer)
        if scope == "read":
            assert offered.keys() == {"/console/sign-out"}
        last = ("/console/delete/", "/console/keys/", "/console/sign-out")
        for place in sorted(offered, key=lambda each: (each.startswith(last), each)):
            answer = await client.post(place, data={**offered[place], "ask": ""})
            # The last forms revoke keys, also that of the session.
            ended = "your key was revoked" in answer.text
            assert ended or answer.status_code not in (401, 403, 404, 405), (place, answer.status_code)


async def test_a_reload_makes_no_second_key_secret_or_webhook(
    running_app: "RunningApp", db: "Database"
) -> None:
    async with running_app(auth="keys") as client:
        await signed_in(client, db, "admin", "ada")
        hook = {"url": "http://127.0.0.1:1/hook", "description": "", "active": "false"}
        for page, more in (("/console/keys", {"name": "new"}), ("/console/webhooks", hook)):
            place, fields = form_of((await client.get(page)).text, page)
            first = await client.post(place, data={**fields, **more})
            assert (first.status_code, len(SECRET.findall(first.text))) == (200, 1), first.text
            listed = (await client.get(page.replace("/console", "/console/api/v1"))).json()["data"]
            again = await client.post(place, data={**fields, **more})
            assert (again.status_code, again.headers["location"]) == (303, page)
            told = await client.get(page)
            assert ("made before" in told.text, SECRET.search(told.text)) == (True, None)
            assert (await client.get(page.replace("/console", "/console/api/v1"))).json()["data"] == listed
        page = f"/console/webhooks/{listed[0]['id']}"
        place, fields = form_of((await client.get(page)).text, f"{page}/rotate")
        fields["ask"] = ""
        assert SECRET.search((await client.post(place, data=fields)).text)
        row = (await client.get(page.replace("/console", "/console/api/v1"))).json()["data"]
        again = await client.post(place, data=fields)
        assert unquote(again.headers["location"]) == page
        assert "replaced before" in (await client.get(page)).text
        assert (await client.get(page.replace("/console", "/console/api/v1"))).json()["data"] == row


async def test_a_form_to_make_a_record_is_for_who_may_and_of_kinds_that_have_one(
    running_app: "RunningApp", db: "Database"
) -> None:
    async with running_app(auth="keys") as client:
        for scope in ("read", "admin"):
            await signed_in(client, db, scope)
            for entity in ("idea", "item", "system", "webhook", "file", "nothing"):
                page = await client.get(f"/console/new/{entity}")
                known = entity in ("idea", "item", "system")
                assert page.status_code == (403 if scope == "read" else 200 if known else 404), entity
                assert ("This needs a key with the scope write" in page.text) == (scope == "read")
