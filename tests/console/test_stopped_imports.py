"""Imports that were stopped, and looks at what an undo would do: what they tell, and what is kept of them."""

from typing import TYPE_CHECKING

import pytest

from tests.console.forms import form_of
from tests.console.test_takeover import LIBRARY, ended, send

if TYPE_CHECKING:
    import httpx

    from tests.fixtures.database import Connection


@pytest.mark.parametrize("keep", [{}, {"keep_changed": "true"}])
async def test_what_was_looked_at_is_what_is_taken_back(
    client: "httpx.AsyncClient", keep: dict[str, str]
) -> None:
    begun = await send(client, "false")
    undo = f"{begun.headers['location']}/undo"
    assert "keep_changed" not in form_of(await ended(client, begun), undo)[1]
    await client.put("/api/items/1", json={"status": "review"})
    looked = await client.post(f"{undo}?dry_run=true", data=keep)
    place, fields = form_of(await ended(client, looked), undo)
    assert (place, {name: fields[name] for name in fields if name != "ask"}) == (undo, keep)


@pytest.mark.parametrize(
    ("phase", "told"),
    [
        ("preflight", "Until then nothing was written."),
        ("load", "Until then 1,200 of 3,400 records were loaded."),
        ("verify", "All records were loaded until then"),
    ],
)
@pytest.mark.parametrize("state", ["cancelled", "failed"])
async def test_an_import_that_was_stopped_says_how_far_it_came(
    client: "httpx.AsyncClient", connection: "Connection", state: str, phase: str, told: str
) -> None:
    begun = await send(client, "false")
    await ended(client, begun)
    await connection.execute(
        "UPDATE jobs SET state = $1, phase = $2, done = 1200, total = 3400 WHERE kind = 'import.lowdb'",
        *(state, phase),
    )
    assert told in await ended(client, begun)
    dry = await ended(client, await send(client, "true"))
    assert "Until then" not in dry


async def test_an_import_that_is_refused_before_it_writes_says_so(client: "httpx.AsyncClient") -> None:
    assert "Until then nothing was written." in await ended(
        client, await send(client, "false", b'{"items": [')
    )
    await ended(client, await send(client, "false"))
    file = {"file": ("library.json", LIBRARY)}
    begun = await client.post("/console/takeover?dry_run=false", data={"on_conflict": "fail"}, files=file)
    page = await ended(client, begun)
    assert "It did not succeed." in page
    assert "Until then nothing was written." in page
