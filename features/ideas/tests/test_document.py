"""What the OpenAPI document says of ideas."""

import json

import httpx

from features.ideas.tests.factories import IDEAS, STATUSES


async def test_the_published_document_declares_every_answer(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    paths, schemas = document["paths"], document["components"]["schemas"]
    assert set(paths[IDEAS]) == {"get", "post"}
    assert set(paths[f"{IDEAS}/kanban"]) == {"get"}
    assert set(paths[f"{IDEAS}/{{id}}"]) == {"get", "put", "delete"}
    declared = {
        (path, method): set(operation["responses"])
        for path in paths
        if path.startswith(IDEAS)
        for method, operation in paths[path].items()
    }
    assert declared[IDEAS, "get"] >= {"200", "400", "429", "503"}
    assert declared[IDEAS, "post"] >= {"201", "400", "409", "413", "415", "429", "503"}
    assert declared[f"{IDEAS}/{{id}}", "put"] >= {"200", "400", "404", "413", "415", "429", "503"}
    assert declared[f"{IDEAS}/{{id}}", "delete"] >= {"200", "404", "429", "503"}
    assert not any("422" in codes for codes in declared.values())
    parameters = {each["name"]: each for each in paths[IDEAS]["get"]["parameters"]}
    assert set(parameters) >= {
        *("status", "category", "priority", "system_id", "assigned_to", "search", "limit", "offset"),
        *("cursor", "order_by", "order_direction"),
    }
    assert "x-user-id" in {each["name"] for each in paths[f"{IDEAS}/{{id}}"]["delete"]["parameters"]}
    assert schemas["Kanban"]["required"] == STATUSES
    assert set(schemas["Idea"]["required"]) >= {
        *("id", "title", "description", "priority", "status", "createdAt", "category", "tags")
    }
    assert "null" not in json.dumps(schemas["Idea"])
    assert schemas["Idea"]["properties"]["updatedAt"]["format"] == "date-time"
    assert schemas["Idea"]["properties"]["system"]["$ref"].endswith("/SystemLink")
    assert schemas["UpdateIdea"].get("required", []) == []
    assert sorted(schemas["CreateIdea"]["required"]) == ["category", "description", "priority", "title"]
    removed = paths[f"{IDEAS}/{{id}}"]["delete"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert set(schemas[removed["$ref"].rpartition("/")[2]]["required"]) >= {"message", "data"}
