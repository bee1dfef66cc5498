"""What was imported comes out to the byte; what has changed since, as the old server would write it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings

from features.exports.tests.factories import Record, ended, exported, imported, record, stringify
from features.exports.tests.hostile import lowdb_files

LEGACY_FILE = Path(__file__).resolve().parents[4] / "shared" / "legacy" / "library.json"


async def emptied(client: httpx.AsyncClient) -> None:
    for item in (await client.get("/api/items")).json()["data"]:
        await client.delete(f"/api/items/{item['id']}")


async def undone(client: httpx.AsyncClient) -> None:
    """Takes the last two imports back, so that nothing of them comes back."""
    newest = await client.get("/api/v1/jobs", params={"kind": "import.lowdb", "limit": 2})
    for job in newest.json()["data"]:
        undo = await client.post(f"/api/v1/imports/{job['id']}/undo")
        if undo.status_code == 202:
            assert (await ended(client, undo.json()["data"]["id"]))["state"] == "succeeded"


@pytest.mark.skipif(not LEGACY_FILE.exists(), reason="the real legacy file does not lie beside the project")
async def test_the_real_file_comes_back_to_the_byte(client: httpx.AsyncClient) -> None:
    content = await asyncio.to_thread(LEGACY_FILE.read_bytes)
    await imported(client, content)
    assert (await exported(client))[0] == content


SHAPES: dict[str, bytes] = {
    "as LowDB writes": stringify({"items": [record(n) for n in range(5)]}),
    "other keys around": stringify({"version": 2, "items": [record(1)], "users": [{"name": "x"}]}),
    "ideas": stringify({"ideas": [record(1)]}),
    "bare list": stringify([record(n) for n in range(3)]),
    "one line": json.dumps({"items": [record(n) for n in range(3)]}, separators=(",", ":")).encode(),
    "four spaces": json.dumps({"items": [record(1)]}, indent=4).encode(),
    "tabs and line break at the end": json.dumps({"items": [record(1)]}, indent="\t").encode() + b"\n",
    "byte order mark": b"\xef\xbb\xbf" + stringify({"items": [record(1)]}),
    "carriage returns": stringify({"items": [record(1), record(2)]}).replace(b"\n", b"\r\n"),
    "empty": b'{"items": []}',
    "empty with space": b'{"a": 1.0, "items" : [ \n ] ,"z":[1e3]}\n\n',
    "unknown fields and their places": stringify(
        {"items": [{"votes": 3, **record(1), "author": {"name": "ã"}}, {"z": 1, **record(2, title="t")}]}
    ),
    "spellings of numbers": stringify({"items": [record(1)]}).replace(
        b'"updatedAt"', b'"n": [1.0, 1e3, -0, 0.10, 12345678901234567890123], "updatedAt"'
    ),
    "spellings of timestamps": stringify(
        {"items": [record(1, createdAt="2025-10-23"), record(2, updatedAt="2025-10-23T22:45:24.94+02:00")]}
    ),
    "absent fields": stringify({"items": [record(1, tags=...), record(2, updatedAt=...)]}),
    "escapes": stringify({"items": [record(1)]})
    .replace("í".encode(), b"\\u00ED")
    .replace(b"ui", b"\\u0075i"),
    "records that cannot be taken over": b'{"items": [7, %b, {"id": "\\ud800"},\n null, %b]}'
    % (stringify(record(1)), stringify(record(1))),
}


@pytest.mark.parametrize("content", SHAPES.values(), ids=SHAPES)
async def test_a_file_comes_back_to_the_byte(client: httpx.AsyncClient, content: bytes) -> None:
    await imported(client, content)
    first, job = await exported(client)
    assert first == content
    assert job["result"]["changed"] == job["result"]["added"] == job["result"]["removed"] == 0
    await imported(client, first)
    assert (await exported(client))[0] == content


@pytest.mark.slow
@given(content=lowdb_files())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
async def test_any_file_comes_back_to_the_byte(client: httpx.AsyncClient, content: bytes) -> None:
    await undone(client)
    await imported(client, content)
    first, _ = await exported(client)
    assert first == content
    await imported(client, first, on_conflict="overwrite")
    assert (await exported(client))[0] == content


async def put(client: httpx.AsyncClient, item_id: str, **changes: object) -> dict[str, Any]:
    answer = await client.put(f"/api/items/{item_id}", json=changes)
    data: dict[str, Any] = answer.json()["data"]
    return data


@pytest.mark.parametrize("shape", ["items", "bare", "ideas with more"])
async def test_changes_are_written_as_the_old_server_would(client: httpx.AsyncClient, shape: str) -> None:
    """Changed in their place, new ones at the end, deleted ones gone: the file that `JSON.stringify` of the
    changed data gives.
    """
    records = [record(n) for n in range(7)]
    records[4] = {"votes": 2, **record(4), "note": "ç"}
    records[5] = record(5, updatedAt=..., tags=...)

    def whole(now: list[Record]) -> bytes:
        return stringify(
            {"items": {"items": now}, "bare": now, "ideas with more": {"a": [], "ideas": now, "z": {}}}[shape]
        )

    await imported(client, whole(records))
    for number in (0, 3):
        await client.delete(f"/api/items/id-{number}")
    for number in (1, 4, 5):
        item = await put(client, f"id-{number}", title="Outro \t \u20ac", status="review")
        records[number] |= {name: item[name] for name in ("title", "status", "updatedAt")}
    added = []
    for title in ("Nova", "Outra"):
        body = {"title": title, "description": "d", "category": "dashboard", "priority": "low"}
        added.append((await client.post("/api/items", json=body)).json()["data"])
    expected = [records[number] for number in (1, 2, 4, 5, 6)] + added
    content, job = await exported(client)
    assert content.decode() == whole(expected).decode()
    result = job["result"]
    assert (result["records"], result["unchanged"], result["changed"]) == (7, 2, 3)
    assert (result["added"], result["removed"], result["bytes"]) == (2, 2, len(content))


async def test_only_what_was_made_here_counts_as_added(client: httpx.AsyncClient) -> None:
    await imported(client, stringify({"items": [record(number) for number in range(6)]}))
    await put(client, "id-5", title="Outro")
    body = {"title": "Nova", "description": "d", "category": "dashboard", "priority": "low"}
    await client.post("/api/items", json=body)
    changed = [record(0), record(1, title="Novo"), record(9)]
    await imported(client, stringify({"items": changed}), since_last="true")
    await put(client, "id-9", title="Outro")
    content, job = await exported(client)
    assert len(json.loads(content)["items"]) == 8
    counts = {name: job["result"][name] for name in ("records", "unchanged", "changed", "added", "removed")}
    assert counts == {"records": 8, "unchanged": 5, "changed": 2, "added": 1, "removed": 0}


@pytest.mark.parametrize("content", [stringify({"items": [record(1)], "z": 1}), stringify([record(1)])])
async def test_an_empty_list_is_written_as_one(client: httpx.AsyncClient, content: bytes) -> None:
    await imported(client, content)
    await emptied(client)
    data = json.loads(content)
    assert (await exported(client))[0] == stringify([] if isinstance(data, list) else {**data, "items": []})


@pytest.mark.parametrize("empty", [b'{\n  "items": []\n}', b'{"items": [ ]}', b"[]"])
async def test_a_list_that_was_empty_fills(client: httpx.AsyncClient, empty: bytes) -> None:
    await imported(client, empty)
    body = {"title": "Nova", "description": "d", "category": "dashboard", "priority": "low"}
    item = (await client.post("/api/items", json=body)).json()["data"]
    content, _ = await exported(client)
    if b" ]" not in empty:
        assert content == stringify([item] if empty == b"[]" else {"items": [item]})
    assert json.loads(content) == ([item] if empty == b"[]" else {"items": [item]})


async def test_without_an_import_the_file_is_as_a_new_one(client: httpx.AsyncClient) -> None:
    assert (await exported(client))[0] == stringify({"items": []})
    body = {"title": "Nova", "description": "d", "category": "dashboard", "priority": "low"}
    items = [(await client.post("/api/items", json=body)).json()["data"] for _ in range(3)]
    assert (await exported(client))[0] == stringify({"items": items})


async def test_numbers_of_changed_records_are_spelled_as_javascript_does(client: httpx.AsyncClient) -> None:
    numbers = b"[1.0, 1e3, -0.0, 0.10, 0.00001, 1.5e-7, 1e21, 1.25e+300, 100000000000000000000]"
    content = stringify({"items": [record(1)]}).replace(b'"updatedAt"', b'"n": ' + numbers + b', "updatedAt"')
    await imported(client, content)
    await put(client, "id-1", title="x")
    text = (await exported(client))[0].decode()
    written = [line.strip(" ,") for line in text.split('"n": [')[1].split("]")[0].strip().splitlines()]
    assert " ".join(written) == "1 1000 0 0.1 0.00001 1.5e-7 1e+21 1.25e+300 100000000000000000000"


@pytest.mark.parametrize("mode", [{}, {"on_conflict": "overwrite"}, {"since_last": "true"}])
async def test_an_id_whose_record_became_unusable_leaves_once(
    client: httpx.AsyncClient, mode: dict[str, str]
) -> None:
    """As the file has it, to the byte, or as it is here once that has changed. The result says which."""
    records = [record(n) for n in range(3)]
    await imported(client, stringify({"items": records}))
    content = stringify({"items": [records[0], record(1, title=""), records[2]]})
    await imported(client, content, **mode)
    written, job = await exported(client)
    assert written == content
    [told] = job["result"]["firstDecided"]
    assert told["id"] == "id-1"
    assert "as the file has it" in told["reason"]
    assert (job["result"]["unusable"], job["result"]["replaced"], job["result"]["added"]) == (1, 0, 0)
    item = await put(client, "id-1", title="Ours")
    written, job = await exported(client)
    assert written == stringify({"items": [records[0], {**records[1], **item}, records[2]]})
    assert "as it is here" in job["result"]["firstDecided"][0]["reason"]
    assert (job["result"]["unusable"], job["result"]["replaced"]) == (0, 1)


async def test_unusable_records_of_earlier_imports_come_back_where_they_were(
    client: httpx.AsyncClient,
) -> None:
    """Until a later file has something else under their id."""
    numbered, unnumbered, untitled = {"id": "bad", "title": 1.5}, None, record(6, title="")
    await imported(client, stringify({"items": [numbered, record(1), unnumbered, untitled, record(2)]}))
    await imported(client, stringify({"items": [record(0), record(1), record(3)]}))
    expected = [numbered, record(0), record(1), unnumbered, untitled, record(3), record(2)]
    written, job = await exported(client)
    assert written == stringify({"items": expected})
    counts = {name: job["result"][name] for name in ("unusable", "unchanged", "added")}
    assert counts == {"unusable": 3, "unchanged": 4, "added": 0}
    mended = [record(0), record(1), record(3), record(5, id="bad"), record(6), None]
    await imported(client, stringify({"items": mended}))
    assert (await exported(client))[0] == stringify({"items": [*mended, record(2)]})
