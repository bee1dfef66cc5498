"""Validation of the documents against the published schemas of their formats.

OpenAPI: openapi-spec-validator (schema of 3.1, path parameters, operation ids, defaults). AsyncAPI: the JSON
schema of 3.0 that its makers publish as an npm package. In both, every reference must resolve.
"""

import json
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.protocols import Validator
from pydantic import JsonValue

from core.database.process import ENGINE_FOLDER
from core.jobs import JsonObject

MAX_ISSUES: Final = 100
_LONGEST_ISSUE: Final = 500
_ASYNCAPI_SCHEMA: Final = (
    ENGINE_FOLDER / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0-without-$id.json"
)


def openapi_issues(document: JsonObject) -> list[str]:
    """Faults of an OpenAPI document, at most MAX_ISSUES; empty when it is valid."""
    # Imported here, for it would take a tenth of every process's start.
    from openapi_spec_validator import OpenAPIV31SpecValidator

    if not str(document.get("openapi", "")).startswith("3.1."):
        return ["openapi: must be a version of 3.1"]
    found = _structural(OpenAPIV31SpecValidator.schema_validator, document)
    # The other rules are asked of a sound document: on another one the validator stumbles.
    return found or _told(OpenAPIV31SpecValidator(document).iter_errors())


def asyncapi_issues(document: JsonObject) -> list[str]:
    """Faults of an AsyncAPI document, at most MAX_ISSUES; empty when it is valid."""
    if document.get("asyncapi") != "3.0.0":
        return ["asyncapi: must be 3.0.0"]
    return _structural(_asyncapi_validator(), document)


@cache
def _asyncapi_validator() -> Validator:
    return Draft7Validator(json.loads(_ASYNCAPI_SCHEMA.read_text(encoding="utf-8")))


def _structural(validator: Validator, document: JsonObject) -> list[str]:
    found = _told(validator.iter_errors(document))
    return (found + list(_dangling(document, document, "")))[:MAX_ISSUES]


def _told(errors: Iterable[Exception]) -> list[str]:
    found: list[str] = []
    for error in errors:
        if len(found) == MAX_ISSUES:
            break
        found.append(_sentence(error))
    return found


def _sentence(error: Exception) -> str:
    """Place and fault in one sentence; when no branch of a choice fits, of the one that fits best."""
    if not isinstance(error, ValidationError):
        return str(error)[:_LONGEST_ISSUE]
    closest = (best_match(error.context) or error) if error.context else error
    place = ".".join(str(part) for part in closest.absolute_path)
    message = closest.message.partition("\n\n")[0][:_LONGEST_ISSUE]
    return f"{place}: {message}" if place else message


def _dangling(document: JsonObject, part: JsonValue, place: str) -> Iterator[str]:
    """References within the document that do not resolve; ours has no others."""
    if isinstance(part, list):
        for index, each in enumerate(part):
            yield from _dangling(document, each, f"{place}.{index}")
    elif isinstance(part, dict):
        target = part.get("$ref")
        if isinstance(target, str) and not _leads(document, target):
            yield f"{place.removeprefix('.')}: {target} leads nowhere"
        for key, each in part.items():
            yield from _dangling(document, each, f"{place}.{key}")


def _leads(document: JsonObject, reference: str) -> bool:
    found: Any = document
    if not reference.startswith("#/"):
        return False
    for step in reference[2:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or name not in found:
            return False
        found = found[name]
    return True
