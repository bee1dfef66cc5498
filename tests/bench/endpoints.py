"""The five requests that are measured."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Final

from tests.bench.data import STATUSES, records
from tests.bench.load import Request

KNOWN_IDS: Final = 1_000
"""Single items are drawn at random from so many."""
BODIES: Final = 1_000
READS: Final = ("E1", "E2", "E3")
WRITES: Final = ("E4", "E5")


@dataclass(frozen=True, slots=True)
class Endpoint:
    code: str
    shown: str
    requests: tuple[Request, ...]


def endpoints(ids: Sequence[str]) -> dict[str, Endpoint]:
    bodies = [
        {name: record[name] for name in ("title", "description", "category", "priority", "tags")}
        for record in records(BODIES)
    ]
    changes = [
        {"title": body["title"], "status": status, "tags": body["tags"]}
        for body, status in zip(bodies, cycle(STATUSES), strict=False)
    ]
    made = (
        Endpoint("E1", "GET /api/items?limit=100", (Request("GET", "/api/items?limit=100"),)),
        Endpoint("E2", "GET /api/items/{id}", tuple(Request("GET", f"/api/items/{each}") for each in ids)),
        Endpoint(
            "E3",
            "GET /api/v1/ideas?limit=20&status=new",
            (Request("GET", "/api/v1/ideas?limit=20&status=new"),),
        ),
        Endpoint(
            "E4",
            "POST /api/items",
            tuple(Request("POST", "/api/items", json.dumps(body, ensure_ascii=False)) for body in bodies),
        ),
        Endpoint(
            "E5",
            "PUT /api/items/{id}",
            tuple(
                Request("PUT", f"/api/items/{each}", json.dumps(change, ensure_ascii=False))
                for each, change in zip(ids, cycle(changes), strict=False)
            ),
        ),
    )
    return {endpoint.code: endpoint for endpoint in made}
