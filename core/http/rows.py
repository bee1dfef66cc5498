"""One row as an answer shows it: finished JSON, which a statement made and nobody parses."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from starlette.responses import Response

from core.http.conditional import Precondition, row_etag


@dataclass(frozen=True, slots=True)
class Row:
    """`data` is the row's JSON as the API shows it, in UTF-8; `version` counts the row's changes."""

    version: int
    data: bytes

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Of `<version> <data>`, the one form in which statements give a row."""
        version, _, data = text.partition(b" ")
        return cls(int(version), data)

    @property
    def etag(self) -> str:
        return row_etag(self.version, self.data)


def wanted_tags(precondition: Precondition) -> list[str] | None:
    """The ETags of which a row must have one to be changed; None: any will do."""
    tags = precondition.tags
    return None if tags is None or "*" in tags else list(tags)


def done(message: str, row: Row, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """What became of a request, and the row that it was about: an answer of the model `Done`."""
    body = b'{"success":true,"message":%b,"data":%b}' % (json.dumps(message).encode(), row.data)
    return Response(body, status, {"ETag": row.etag, **(headers or {})}, "application/json")
