"""What cannot be taken back asks first, also without scripts."""

from typing import TYPE_CHECKING

from features.keys.tests.factories import bearer, make_key
from tests.console.forms import form_of, forms_of
from tests.console.pages import HOOK, make_rows
from tests.console.people import signed_in
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    import httpx

    from core.database.client import Database
    from tests.fixtures.application import RunningApp

ASKING = ("/console/delete/", "/revoke", "/rotate", "/check-all", "/cancel")


async def test_every_form_that_deletes_revokes_or_replaces_asks_first(
    running_app: "RunningApp", db: "Database"
) -> None:
    async with running_app(auth="keys") as client:
        root = bearer(await make_key(db, "admin", "root"))
        client.headers.update(root)
        rows = await make_rows(client)
        for name in root:
            del client.headers[name]
        own = await signed_in(client, db, "admin", "ada")
        found = set()
        for page in rows.pages:
            for place, fields in forms_of((await client.get(page)).text):
                kinds = [
                    each for each in ASKING if each in place and not place.startswith("/console/takeover")
                ]
                if kinds:
                    found.update(kinds)
                    asked = await client.post(place, data=fields)
                    assert (asked.status_code, fields["ask"][:20] in asked.text) == (200, True), place
                    again = form_of(asked.text, place)[1]
                    assert again == {name: text for name, text in fields.items() if name != "ask" and text}
        assert found >= {"/console/delete/", "/revoke", "/rotate", "/check-all"}
        place, fields = form_of((await client.get("/console/keys")).text, f"/console/keys/{own}/revoke")
        asked = await client.post(place, data=fields)
        for told in (own, "ada", "the one that you are signed in with"):
            assert told in asked.text
        keys = (await client.get("/console/api/v1/keys")).json()["data"]
        assert not any("revokedAt" in key for key in keys)
        place, fields = form_of(asked.text, place)
        assert (await client.post(place, data=fields)).headers["location"] == "/console/keys"
        assert (await client.get("/console/keys")).status_code == 303


async def test_a_job_that_begins_again_by_itself_offers_no_cancel_and_renews_its_page(
    client: "httpx.AsyncClient",
) -> None:
    await client.post("/api/v1/webhooks", json=HOOK)

    async def running() -> bool:
        jobs = (await client.get("/api/v1/jobs?state=running")).json()["data"]
        return any(job["kind"] == "webhooks.deliver" for job in jobs)

    await wait_for(running, message="the deliveries did not begin")
    jobs = (await client.get("/api/v1/jobs?state=running")).json()["data"]
    job = next(each for each in jobs if each["kind"] == "webhooks.deliver")
    for page in ("/console/jobs", f"/console/jobs/{job['id']}"):
        told = (await client.get(page)).text
        assert "Delivery of webhooks" in told
        assert f"{job['id']}/cancel" not in told
    assert '<noscript><meta http-equiv="refresh"' in told
