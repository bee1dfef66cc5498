"""What may not run beside a job that has not ended: a sentence, and the way to that job."""

from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from tests.console.rows import server
from tests.console.test_takeover import LIBRARY, ended, send
from tests.fixtures.browser import OpenPage
from tests.fixtures.servers import LiveServer

if TYPE_CHECKING:
    import httpx

    from tests.fixtures.database import Connection

__all__ = ["server"]
TOLD = "This cannot begin yet: a job that it may not run beside has not ended."


async def running(connection: "Connection", kind: str, key: str) -> str:
    """Page of a job of another host."""
    job_id = await connection.fetchval(
        "INSERT INTO jobs (id, kind, exclusive_key, state, arguments, actor, lease_owner, lease_expires_at) "
        "VALUES (gen_random_uuid(), $1, $2, 'running', $3, 'ada', 'elsewhere:1:1', now() + interval '9 min') "
        "RETURNING id::text",
        kind,
        key,
        '{"source": "lowdb", "filename": "ours.json", "path": "/ours.json"}',
    )
    return f"/console/jobs/{job_id}"


@pytest.mark.parametrize(
    ("kind", "key", "query"),
    [
        ("import.lowdb", "import", "dry_run=false"),
        ("import.undo", "import", "dry_run=true"),
        ("import.verify", "import.verify", "verify=true"),
    ],
)
async def test_a_file_that_has_to_wait(
    client: "httpx.AsyncClient", connection: "Connection", kind: str, key: str, query: str
) -> None:
    place = await running(connection, kind, key)
    url, file = f"/console/takeover?{query}", {"file": ("library.json", LIBRARY)}
    page = await client.post(url, files=file)
    assert (page.status_code, TOLD in page.text) == (409, True)
    assert f'<a href="{place}">See that job</a>' in page.text
    heard = await client.post(url, files=file, headers={"hx-request": "true"})
    told = orjson.loads(heard.headers["hx-trigger"])["toast"]
    assert (heard.status_code, told["message"]) == (409, TOLD)
    assert told["link"] == {"place": place, "text": "See that job"}
    assert (await client.get(place)).status_code == 200


async def test_an_undo_that_has_to_wait(client: "httpx.AsyncClient", connection: "Connection") -> None:
    begun = await send(client, "false")
    await ended(client, begun)
    place = await running(connection, "import.lowdb", "import")
    refused = await client.post(f"{begun.headers['location']}/undo")
    assert (refused.status_code, TOLD in refused.text) == (409, True)
    assert f'<a href="{place}">See that job</a>' in refused.text


@pytest.mark.slow
async def test_the_way_to_it_stands_at_the_form(
    server: LiveServer, connection: "Connection", open_page: OpenPage, tmp_path: Path
) -> None:
    place = await running(connection, "import.lowdb", "import")
    file = tmp_path / "library.json"
    file.write_bytes(LIBRARY)
    page = await open_page(server)
    await page.goto("/console/takeover")
    await page.get_by_label("The old service's file").set_input_files(file)
    await page.get_by_role("button", name="Start the import").click()
    await page.locator(".refused", has_text=TOLD).get_by_role("link", name="See that job").click()
    await page.wait_for_url(f"**{place}")
