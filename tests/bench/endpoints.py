"""The requests that are measured."""

import json
from collections.abc import Sequence
from itertools import cycle
from typing import Final, TypeAlias

from tests.bench.data import STATUSES, records
from tests.bench.load import Request

KNOWN_IDS: Final = 1_000
"""Single items are drawn at random from so many."""
BODIES: Final = 1_000
SHOWN: Final = {
    "E1": "GET /api/items?limit=100",
    "E2": "GET /api/items/{id}",
    "E3": "GET /api/v1/ideas?limit=20&status=new",
    "E1*": "GET /api/items?limit=40..160",
    "E3*": "GET /api/v1/ideas?limit=1..39&status=new",
    "E4": "POST /api/items",
    "E5": "PUT /api/items/{id}",
}
READS: Final = ("E1", "E2", "E3")
SPREAD: Final = ("E1*", "E3*")
"""The lists with limits around the one that is asked for otherwise: requests that meet are seldom equal, so
that they cannot share their queries.
"""
WRITES: Final = ("E4", "E5")

Endpoints: TypeAlias = dict[str, tuple[Request, ...]]
"""What is drawn from for each code."""


def endpoints(ids: Sequence[str]) -> Endpoints:
    bodies = [
        {name: record[name] for name in ("title", "description", "category", "priority", "tags")}
        for record in records(BODIES)
    ]
    changes = [
        {"title": body["title"], "status": status, "tags": body["tags"]}
        for body, status in zip(bodies, cycle(STATUSES), strict=False)
    ]
    return {
        "E1": (Request("GET", "/api/items?limit=100"),),
        "E2": tuple(Request("GET", f"/api/items/{each}") for each in ids),
        "E3": (Request("GET", "/api/v1/ideas?limit=20&status=new"),),
        "E1*": tuple(Request("GET", f"/api/items?limit={limit}") for limit in range(40, 161)),
        "E3*": tuple(Request("GET", f"/api/v1/ideas?limit={limit}&status=new") for limit in range(1, 40)),
        "E4": tuple(Request("POST", "/api/items", _text(body)) for body in bodies),
        "E5": tuple(
            Request("PUT", f"/api/items/{each}", _text(change))
            for each, change in zip(ids, cycle(changes), strict=False)
        ),
    }


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
