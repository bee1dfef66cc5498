"""The forms of records offer the words, and allow the lengths, that the API publishes."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic.alias_generators import to_snake

from features.console.service.records import RECORDS, Record
from tests.fixtures.document import document


def published(record: Record) -> dict[str, Any]:
    """By the field, what the document says of it in the body of an update."""
    [place] = [
        path for path in document()["paths"] if path.startswith(f"{record.api}/{{") and path.endswith("}")
    ]
    [media] = document()["paths"][place]["put"]["requestBody"]["content"].values()
    properties: dict[str, Any] = resolved(media["schema"])["properties"]
    return properties


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return document()["components"]["schemas"][name] if name else schema


def kinds(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for each in schema.get("anyOf", [schema]):
        yield resolved(each)


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_form_offers_and_allows_what_the_api_takes(record: Record) -> None:
    fields = published(record)
    for field in record.fields:
        about = list(kinds(fields.get(field.name) or fields[to_snake(field.name)]))
        words = [word for each in about for word in each.get("enum", ())]
        lengths = [each["maxLength"] for each in about if "maxLength" in each]
        if field.kind == "choice":
            assert sorted(field.values) == sorted(words), field.name
            assert field.default in ("", *words), field.name
        if field.longest is not None:
            assert lengths == [field.longest], field.name
        if field.required:
            assert {"type": "null"} not in about, field.name
