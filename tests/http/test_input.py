"""What clients send: spellings, repeated parameters, numbers as text, and numbers of any size."""

from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

IDEAS = "/api/v1/ideas"
IDEA = {"title": "t", "description": "d", "category": "docs", "priority": "low"}
HUGE = 2**64


def fault(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 400, answer.text
    details: list[dict[str, Any]] = answer.json()["details"]
    assert len(details) == 1
    return details[0]


class TestSpellings:
    @pytest.mark.parametrize("name", ["estimatedHours", "estimated_hours"])
    async def test_a_body_takes_both(self, client: httpx.AsyncClient, name: str) -> None:
        created = (await client.post(IDEAS, json={**IDEA, name: 5})).json()["data"]
        assert created["estimatedHours"] == 5
        updated = await client.put(f"{IDEAS}/{created['id']}", json={name: 6})
        assert updated.json()["data"]["estimatedHours"] == 6

    async def test_a_fault_names_the_documented_one(self, client: httpx.AsyncClient) -> None:
        assert fault(await client.post(IDEAS, json={**IDEA, "due_date": "x"}))["field"] == "dueDate"

    async def test_both_with_different_values_are_refused_by_field(self, client: httpx.AsyncClient) -> None:
        both = {"assignedTo": "ada", "assigned_to": "bo"}
        told = fault(await client.post(IDEAS, json={**IDEA, **both}))
        assert (told["field"], told["value"]) == ("assignedTo", "ada")
        assert "assigned_to" in told["message"]
        same = await client.post(IDEAS, json={**IDEA, "assignedTo": "ada", "assigned_to": "ada"})
        assert same.json()["data"]["assignedTo"] == "ada"

    @pytest.mark.parametrize("name", ["system_id", "systemId"])
    async def test_the_link_of_an_idea_is_never_dropped(self, client: httpx.AsyncClient, name: str) -> None:
        refused = await client.post(IDEAS, json={**IDEA, name: "nobody"})
        assert (refused.status_code, refused.json()["message"]) == (400, "Referenced system not found")

    @pytest.mark.parametrize("name", ["order_direction", "orderDirection"])
    async def test_a_query_takes_both(self, client: httpx.AsyncClient, name: str) -> None:
        for title in ("a", "b"):
            await client.post(IDEAS, json={**IDEA, "title": title})
        answer = await client.get(IDEAS, params={"orderBy": "title", name: "desc"})
        assert [idea["title"] for idea in answer.json()["data"]] == ["b", "a"]
        assert fault(await client.get(IDEAS, params={name: "up"}))["field"] == "order_direction"


class TestParameters:
    @pytest.mark.parametrize("text", ["1_000", " 1", "1 ", "+1", "٣", "1.0", "0x1", "1e1", "--1"])
    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("/api/items", "limit"),
            ("/api/items", "offset"),
            (IDEAS, "limit"),
            ("/api/v1/systems", "limit"),
            ("/api/v1/files", "min_size"),
            ("/api/v1/stats/activity", "days"),
            ("/api/v1/audit", "offset"),
            ("/api/v1/jobs", "limit"),
            ("/api/v1/suggest?q=ab", "limit"),
        ],
    )
    async def test_a_whole_number_has_digits_alone(
        self, client: httpx.AsyncClient, path: str, name: str, text: str
    ) -> None:
        url = httpx.URL(path).copy_merge_params({name: text})
        assert fault(await client.get(url)) == {
            "field": name,
            "message": "must be a whole number",
            "value": text,
        }

    @pytest.mark.parametrize(
        ("url", "name"),
        [
            ("/api/items?limit=1&limit=1", "limit"),
            ("/api/items?status=new&q=a&status=review", "status"),
            (f"{IDEAS}?systemId=a&systemId=b", "systemId"),
            ("/api/v1/jobs?kind=a&kind=b", "kind"),
            ("/api/v1/systems/search?q=aa&q=bb", "q"),
        ],
    )
    async def test_one_that_is_given_twice_is_named(
        self, client: httpx.AsyncClient, url: str, name: str
    ) -> None:
        told = fault(await client.get(url))
        assert (told["field"], told["message"]) == (name, "is given more than once; give it once")

    async def test_unknown_ones_are_ignored(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/api/items?_=1&_=2&limit=1")).status_code == 200


class TestNumbers:
    @pytest.mark.parametrize("number", [HUGE, -HUGE, 10**300, [HUGE], {"a": {"b": [HUGE]}}])
    @pytest.mark.parametrize("field", ["title", "tags", "category", "estimatedHours", "dueDate", "systemId"])
    async def test_one_of_any_size_where_it_does_not_belong_is_a_fault_of_its_field(
        self, client: httpx.AsyncClient, field: str, number: object
    ) -> None:
        for accept in ("application/json", "application/problem+json"):
            told = fault(await client.post(IDEAS, json={**IDEA, field: number}, headers={"accept": accept}))
            assert told["field"].split(".")[0] == field

    async def test_one_with_more_digits_than_python_reads_is_no_crash(
        self, client: httpx.AsyncClient
    ) -> None:
        body = b'{"title":%b}' % (b"1" * 5000)
        answer = await client.post(IDEAS, content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400

    @pytest.mark.slow
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        value=st.recursive(
            st.integers() | st.floats(allow_nan=False) | st.text(max_size=3) | st.none() | st.booleans(),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
            ),
            max_leaves=6,
        ),
        field=st.sampled_from(["title", "tags", "status", "actualHours", "dueDate", "unknown"]),
    )
    async def test_no_json_is_a_crash(self, client: httpx.AsyncClient, value: object, field: str) -> None:
        import json

        body = json.dumps({**IDEA, field: value})
        answer = await client.post(IDEAS, content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (201, 400)
