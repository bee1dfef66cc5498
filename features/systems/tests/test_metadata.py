"""Metadata is any JSON object: it comes back equal, key for key and value for value, or is refused."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fixtures.values import same_json

SYSTEMS = "/api/v1/systems"
JSON = {"content-type": "application/json"}

_KEYS = st.sampled_from(["__proto__", "constructor", "prototype", "toString", "$type", "$json", "a", "é", ""])
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.slow
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(metadata=st.dictionaries(_KEYS, _VALUES, max_size=4))
@example(metadata={"__proto__": None})
@example(metadata={"constructor": {"prototype": {"__proto__": 1}}})
@example(metadata={"a": [1e20, 2.0**63, 1e21, 2**53 + 1, 2**63, 10**25, -(2**64), 1e308]})
async def test_it_comes_back_as_it_was_sent_through_every_read_and_write(
    client: httpx.AsyncClient, metadata: dict[str, Any]
) -> None:
    body = {"name": "S", "description": "d", "status": "online", "metadata": metadata}
    created = await client.post(SYSTEMS, content=json.dumps(body), headers=JSON)
    if created.status_code == 400:
        assert {each["field"] for each in created.json()["details"]} == {"metadata"}
        assert "\\u0000" in json.dumps(metadata) or "\\ud" in json.dumps(metadata)
        return
    assert created.status_code == 201, created.text
    url = f"{SYSTEMS}/{created.json()['data']['id']}"
    try:
        read = await client.get(url)
        listed = await client.get(SYSTEMS)
        swapped = await client.put(url, content=json.dumps({"metadata": {"a": 2**70}}), headers=JSON)
        assert swapped.json()["data"]["metadata"] == {"a": 2**70}
        put_back = await client.put(url, content=read.text, headers=JSON)
        again = await client.put(
            url, content=json.dumps({"metadata": created.json()["data"]["metadata"]}), headers=JSON
        )
        assert put_back.status_code == 200
        assert same_json(listed.json()["data"][0]["metadata"], metadata)
        for answer in (created, read, again):
            assert same_json(answer.json()["data"]["metadata"], metadata), answer.text
        entries = (await client.get("/api/v1/audit?entity=system&limit=1")).json()["data"]
        assert same_json(entries[0]["changes"]["metadata"]["after"], metadata)
    finally:
        deleted = await client.delete(url)
    assert deleted.status_code == 200
    assert same_json(deleted.json()["data"]["metadata"], metadata)


@pytest.mark.parametrize("number", [10**400, -(10**400)])
async def test_a_number_that_is_too_long_is_refused_by_field(client: httpx.AsyncClient, number: int) -> None:
    body = {"name": "S", "description": "d", "status": "online", "metadata": {"a": number}}
    answer = await client.post(SYSTEMS, content=json.dumps(body), headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["details"][0]["field"] == "metadata"
