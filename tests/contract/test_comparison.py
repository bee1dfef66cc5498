"""Each way to break a promise is seen, and what keeps it is not called broken."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.comparison import Difference, differences
from tests.contract.document import Document
from tests.contract.notation import ERROR, TEXT, Promise, asked, bounded, document_of, record
from tests.contract.rulings import Ruling, unexcused, unused

Content = dict[str, Any]
Change = Callable[[Content], object]

PROMISED: Content = {
    "paths": {
        "/things/{id}": {
            "parameters": [{"$ref": "#/components/parameters/Id"}],
            "get": {
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "default": 10}},
                    {"name": "kind", "in": "query", "schema": {"type": "string", "enum": ["a", "b"]}},
                    {"name": "X-User-Id", "in": "header", "schema": {"type": "string"}},
                ],
                "responses": {
                    "200": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
                    },
                    "404": {"$ref": "#/components/responses/Missing"},
                },
            },
            "put": {
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewThing"}}},
                },
                "responses": {"200": {"content": {"application/pdf": {}}}},
            },
        }
    },
    "components": {
        "parameters": {"Id": {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}},
        "responses": {"Missing": {"content": {"application/json": {"schema": {"type": "object"}}}}},
        "schemas": {
            "Thing": {
                "type": "object",
                "required": ["id", "kind"],
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "kind": {"type": "string", "enum": ["a", "b"]},
                    "size": {"type": "number"},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "counts": {"type": "object", "properties": {"new": {"type": "integer"}}},
                },
            },
            "NewThing": {
                "allOf": [
                    {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
                    {"properties": {"parts": {"type": "array", "items": {"type": "integer"}, "maxItems": 5}}},
                ]
            },
        },
    },
}


def get(content: Content) -> Content:
    found: Content = content["paths"]["/things/{id}"]["get"]
    return found


def parameter(content: Content, number: int) -> Content:
    found: Content = get(content)["parameters"][number]
    return found


def identifier(content: Content) -> Content:
    found: Content = content["components"]["parameters"]["Id"]
    return found


def answer(content: Content) -> Content:
    found: Content = content["components"]["schemas"]["Thing"]
    return found


def wish(content: Content, part: int) -> Content:
    found: Content = content["components"]["schemas"]["NewThing"]["allOf"][part]
    return found


BREAKING: list[tuple[str, Change]] = [
    ("GET /things/{id}: is missing", lambda c: c["paths"]["/things/{id}"].pop("get")),
    ("PUT /things/{id}: is missing", lambda c: c["paths"].pop("/things/{id}")),
    ("path id: is missing", lambda c: identifier(c).update(name="thing_id")),
    (
        "path thing_id: is a new required",
        lambda c: identifier(c).update(name="thing_id"),
    ),
    ("query limit: is missing", lambda c: get(c)["parameters"].pop(0)),
    ("query limit: is missing", lambda c: parameter(c, 0).update(name="take")),
    ("query limit: is missing", lambda c: parameter(c, 0).update({"in": "header"})),
    ("query limit: has become required", lambda c: parameter(c, 0).update(required=True)),
    ("query limit: no longer takes integer", lambda c: parameter(c, 0)["schema"].update(type="string")),
    ("query limit: no longer defaults to 10", lambda c: parameter(c, 0)["schema"].update(default=20)),
    ("query limit: no longer defaults to 10", lambda c: parameter(c, 0)["schema"].pop("default")),
    ("query limit: maximum is now 100", lambda c: parameter(c, 0)["schema"].update(maximum=100)),
    ("query kind: no longer takes b", lambda c: parameter(c, 1)["schema"].update(enum=["a", "c"])),
    ("header x-user-id: is missing", lambda c: get(c)["parameters"].pop(2)),
    ("header x-user-id: pattern is now", lambda c: parameter(c, 2)["schema"].update(pattern="^u")),
    ("header x-user-id: must now be a uuid", lambda c: parameter(c, 2)["schema"].update(format="uuid")),
    ("header x-user-id: no longer takes", lambda c: parameter(c, 2)["schema"].update(enum=["me"])),
    (
        "query new: is a new required parameter",
        lambda c: get(c)["parameters"].append({"name": "new", "in": "query", "required": True, "schema": {}}),
    ),
    (
        "GET /things/{id} body: is newly required",
        lambda c: get(c).update(requestBody={"required": True, "content": {"application/json": {}}}),
    ),
    ("body name: is missing", lambda c: wish(c, 0)["properties"].pop("name")),
    ("body name: minLength is now 1", lambda c: wish(c, 0)["properties"]["name"].update(minLength=1)),
    ("body parts: maxItems is now 4", lambda c: wish(c, 1)["properties"]["parts"].update(maxItems=4)),
    (
        "body parts[]: no longer takes integer",
        lambda c: wish(c, 1)["properties"]["parts"]["items"].update(type="string"),
    ),
    ("body parts: has become required", lambda c: wish(c, 1).update(required=["parts"])),
    ("body size: has become required", lambda c: wish(c, 1).update(required=["size"])),
    ("body: no longer ignores unknown", lambda c: wish(c, 1).update(additionalProperties=False)),
    (
        "body: application/json is missing",
        lambda c: c["paths"]["/things/{id}"]["put"]["requestBody"].update(content={"text/plain": {}}),
    ),
    ("404: is missing", lambda c: get(c)["responses"].pop("404")),
    ("204: is a new answer", lambda c: get(c)["responses"].update({"204": {}})),
    ("422: is never answered", lambda c: get(c)["responses"].update({"422": {}})),
    (
        "PUT /things/{id} 200: application/pdf is missing",
        lambda c: c["paths"]["/things/{id}"]["put"]["responses"]["200"].update(content={}),
    ),
    (
        "GET /things/{id} 200: text/csv is new",
        lambda c: get(c)["responses"]["200"]["content"].update({"text/csv": {}}),
    ),
    ("200 id: is missing", lambda c: answer(c)["properties"].pop("id")),
    ("200 size: is missing", lambda c: answer(c)["properties"].pop("size")),
    ("200 id: is no longer always there", lambda c: answer(c)["required"].remove("id")),
    ("200 id: may now be integer", lambda c: answer(c)["properties"].update(id={"type": "integer"})),
    ("200 id: is no longer said to be a uuid", lambda c: answer(c)["properties"]["id"].pop("format")),
    (
        "200 size: may now be null",
        lambda c: answer(c)["properties"].update(size={"anyOf": [{"type": "number"}, {"type": "null"}]}),
    ),
    (
        "200 size: may now be null",
        lambda c: answer(c)["properties"].update(size={"type": ["null", "number"]}),
    ),
    ("200 size: may now be anything", lambda c: answer(c)["properties"].update(size={})),
    ("200 kind: may now be c", lambda c: answer(c)["properties"]["kind"]["enum"].append("c")),
    ("200 kind: may now be anything", lambda c: answer(c)["properties"]["kind"].pop("enum")),
    ("200 kind: is no longer b", lambda c: answer(c)["properties"]["kind"]["enum"].remove("b")),
    (
        "200 tags[]: may now be object",
        lambda c: answer(c)["properties"]["tags"]["items"].update(type="object"),
    ),
    ("200 counts new: is missing", lambda c: answer(c)["properties"]["counts"].update(properties={})),
    (
        "200: may now be array",
        lambda c: get(c)["responses"]["200"]["content"].update(
            {"application/json": {"schema": {"type": "array", "items": answer(c)}}}
        ),
    ),
]

HARMLESS: list[Change] = [
    lambda c: c["paths"].update({"/more": {"get": {"responses": {"200": {}}}}}),
    lambda c: get(c)["parameters"].append({"name": "new", "in": "query", "schema": {}}),
    lambda c: parameter(c, 2).update(name="x-user-id"),
    lambda c: parameter(c, 0)["schema"].update(type="number"),
    lambda c: parameter(c, 1)["schema"].update(enum=["a", "b", "c"]),
    lambda c: parameter(c, 1)["schema"].pop("enum"),
    lambda c: get(c)["responses"].update({"304": {}, "400": {}, "503": {}}),
    lambda c: c["components"]["responses"]["Missing"]["content"].update({"application/problem+json": {}}),
    lambda c: wish(c, 0).pop("required"),
    lambda c: wish(c, 0)["properties"]["name"].update(minLength=0),
    lambda c: wish(c, 1)["properties"]["parts"].update(maxItems=6),
    lambda c: wish(c, 1)["properties"]["parts"].pop("maxItems"),
    lambda c: wish(c, 0)["properties"].update(more={"type": "string"}),
    lambda c: answer(c)["required"].append("size"),
    lambda c: answer(c)["properties"].update(size={"type": "integer"}, more={"type": "string"}),
    lambda c: answer(c)["properties"]["counts"].update(
        properties={}, additionalProperties={"type": "integer"}
    ),
    lambda c: answer(c)["properties"].update(self={"$ref": "#/components/schemas/Thing"}),
    lambda c: (
        answer(c)["properties"].update(kind={"$ref": "#/components/schemas/Kind", "description": "?"})
        or c["components"]["schemas"].update(Kind={"type": "string", "enum": ["a", "b"]})
    ),
    lambda c: c["paths"].update({"/things/{id}": c["paths"].pop("/things/{id}")}),
]


def broken(change: Change) -> list[str]:
    changed = copy.deepcopy(PROMISED)
    change(changed)
    return [str(each) for each in differences(Document(PROMISED), Document(changed))]


@pytest.mark.parametrize(("complaint", "change"), BREAKING)
def test_a_broken_promise_is_seen(complaint: str, change: Change) -> None:
    found = broken(change)
    assert any(complaint in each for each in found), found


@pytest.mark.parametrize("change", HARMLESS)
def test_a_kept_promise_is_not_called_broken(change: Change) -> None:
    assert broken(change) == []


def test_the_table_reads_like_a_document() -> None:
    promise = Promise("get", "/a", {200: record({"b": TEXT}), 400: ERROR}, (asked("q", TEXT),))
    stricter = Promise("get", "/a", {200: record({"c": TEXT})}, (asked("q", bounded(TEXT, minLength=2)),))
    found = differences(Document(document_of([promise])), Document(document_of([stricter])))
    assert [str(each) for each in found] == [
        "GET /a 200 b: is missing",
        "GET /a 200 b: is no longer always there",
        "GET /a 400: is missing",
        "GET /a query q: minLength is now 2",
    ]


def test_a_ruling_excuses_what_it_names_and_nothing_else() -> None:
    excused = Difference("GET /a 200 data[] b", "is missing")
    other = Difference("GET /a 200 data[] c", "is missing")
    rulings = [Ruling("GET * data[] b: is missing", ""), Ruling("PUT *", "")]
    assert unexcused([excused, other], rulings) == [other]
    assert unused([excused, other], rulings) == rulings[1:]
