"""Service of the specifications: files of the documents, and their validation status."""

import asyncio
from dataclasses import dataclass
from typing import Final, Literal

from core.http.request.fields import now
from core.jobs import Describe, JsonObject
from features.specs.documents import verdict
from features.specs.documents.asyncapi import describe
from features.specs.documents.files import archive, as_yaml
from features.specs.schemas import SpecStatus, SpecStatusResponse

OPENAPI_FILE: Final = "openapi.yaml"
ASYNCAPI_FILE: Final = "asyncapi.yaml"


@dataclass(frozen=True, slots=True)
class Files:
    """Bytes of the two documents, and of the archive of both."""

    openapi: bytes
    asyncapi: bytes
    archive: bytes


async def files_of(openapi: Describe) -> Files:
    document = openapi()
    return await asyncio.to_thread(_files, document)


async def status_of(openapi: Describe) -> SpecStatusResponse:
    """Status of both documents, validated now."""
    document = openapi()
    return await asyncio.to_thread(_status, document)


def _files(openapi: JsonObject) -> Files:
    documents = {OPENAPI_FILE: as_yaml(openapi), ASYNCAPI_FILE: as_yaml(describe(openapi))}
    return Files(documents[OPENAPI_FILE], documents[ASYNCAPI_FILE], archive(documents))


def _status(openapi: JsonObject) -> SpecStatusResponse:
    return SpecStatusResponse(
        specs=[
            _judged(OPENAPI_FILE, "openapi", verdict.openapi_issues(openapi)),
            _judged(ASYNCAPI_FILE, "asyncapi", verdict.asyncapi_issues(describe(openapi))),
        ]
    )


def _judged(name: str, kind: Literal["openapi", "asyncapi"], issues: list[str]) -> SpecStatus:
    status: Literal["valid", "invalid"] = "invalid" if issues else "valid"
    return SpecStatus(name=name, type=kind, status=status, last_validated_at=now(), issues=issues)
