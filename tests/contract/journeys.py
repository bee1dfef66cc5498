"""Real answers, each held against the table and against the app's own document."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
from jsonschema import Draft202012Validator

from tests.contract.notation import ERROR, JSON, Answer, Bytes, Promise, Schema

ANYWHERE: Final[Mapping[int, Answer]] = {429: ERROR, 503: ERROR}
Document = dict[str, Any]


class Journey:
    """Calls the operations of a slice; `finish` says which of their promises no call has seen kept."""

    def __init__(self, client: httpx.AsyncClient, document: Document, promises: Sequence[Promise]) -> None:
        self.client = client
        self.document = document
        self.promises = promises
        self.seen: set[tuple[str, int]] = set()

    async def call(self, method: str, path: str, status: int, **request: Any) -> Any:
        """The answer's JSON, or its bytes. Fails unless it has this status and is what was promised."""
        response = await self.client.request(method, path, **request)
        said = f"{method} {path}: {response.status_code} {response.text[:500]}"
        assert response.status_code == status, said
        promise = self._promise(method, path)
        media_type = response.headers["content-type"].partition(";")[0]
        faults = [
            *faults_of_promise(promise, response, media_type),
            *faults_of_document(self.document, promise, response, media_type),
        ]
        assert not faults, "\n".join([said, *faults])
        self.seen.add((str(promise), status))
        return response.json() if media_type == JSON else response.content

    def finish(self) -> None:
        missing = [
            f"{promise} {status}"
            for promise in self.promises
            for status in promise.answers
            if (str(promise), status) not in self.seen and status not in promise.untried
        ]
        assert not missing, f"never seen: {missing}"

    def _promise(self, method: str, path: str) -> Promise:
        wanted = path.partition("?")[0]
        fitting = [
            promise
            for promise in self.promises
            if promise.method.upper() == method
            and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", promise.path), wanted)
        ]
        assert fitting, f"{method} {wanted} is not in the table"
        return min(fitting, key=lambda promise: promise.path.count("{"))


def faults_of_promise(promise: Promise, response: httpx.Response, media_type: str) -> list[str]:
    promised = {**ANYWHERE, **promise.answers}.get(response.status_code)
    if promised is None:
        return [f"{promise} never promised {response.status_code}"]
    if isinstance(promised, Bytes):
        as_promised = promised.any_type or media_type == promised.media_type
        return [] if as_promised else [f"{promise} promised {promised.media_type}, not {media_type}"]
    if media_type != JSON:
        return [f"{promise} promised JSON, not {media_type}"]
    return faults_of_value(promised, response.json(), "table")


def faults_of_document(
    document: Document, promise: Promise, response: httpx.Response, media_type: str
) -> list[str]:
    operation = document["paths"].get(promise.path, {}).get(promise.method)
    if operation is None:
        return [f"{promise} is not in the app's document"]
    answer = operation["responses"].get(str(response.status_code))
    if answer is None:
        return [f"{promise} does not document {response.status_code}"]
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    content = answer.get("content", {})
    if media_type not in content and "*/*" not in content:
        return [f"{promise} {response.status_code} documents {list(content)}, not {media_type}"]
    if media_type != JSON:
        return []
    schema = {"components": document["components"], **content[media_type]["schema"]}
    return faults_of_value(schema, response.json(), "document")


def faults_of_value(schema: Schema, value: object, source: str) -> list[str]:
    checker = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{source}: {error.json_path} {error.message[:300]}" for error in checker.iter_errors(value)]
