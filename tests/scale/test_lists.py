"""At 100,000 ideas and files, 1,000 systems and 1,000,000 audit entries every filter and order that a list
offers is found through an index, and a page deep in the list costs what the first one does.
"""

import itertools
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import asyncpg
import httpx
import pytest

from tests.fixtures.application import RunningApp
from tests.fixtures.database import Connection
from tests.fixtures.services import TestServices
from tests.scale.data import STATEMENTS, Sizes, fill
from tests.scale.plans import Cost, cost_of
from tests.scale.wire import Statement, Wire, tapped

PAGING: Final = {"limit", "offset", "cursor", "order_by", "order_direction"}
PAGE: Final = 20
READ_AT_MOST: Final = 6_000
"""Rows of one page's statement: those of one word or one rare value, never the table."""
Query = Mapping[str, str]


@dataclass(frozen=True)
class Hot:
    """A list and values of each of its filters: common ones, rare ones and one that nothing has. `deep`: how
    many rows to go down before the cost of a page is compared with that of the first.
    """

    path: str
    table: str
    filters: Mapping[str, Sequence[str]]
    deep: int | None = None


LISTS: Final = (
    Hot(
        "/api/v1/ideas",
        "ideas",
        {
            "status": ["completed", "triage"],
            "category": ["api", "infrastructure"],
            "priority": ["low", "critical"],
            "system_id": ["system-7", "none"],
            "assigned_to": ["person-7", "nobody"],
            "search": ["word77", "nothing"],
        },
        deep=90_000,
    ),
    Hot(
        "/api/v1/files",
        "files",
        {
            "system_id": ["system-7", "none"],
            "idea_id": ["idea-7", "none"],
            "uploaded_by": ["person-7", "nobody"],
            "mime_type": ["application/pdf", "application/zip", "text/x-none"],
            "search": ["word77", "nothing"],
            "is_public": ["true", "false"],
            "min_size": ["49900000", "50000001"],
            "max_size": ["100000", "40000000"],
            "created_from": ["2025-03-10T00:00:00Z", "2026-01-01T00:00:00Z"],
            "created_to": ["2025-01-02T00:00:00Z", "2024-01-01T00:00:00Z"],
        },
        deep=90_000,
    ),
    Hot(
        "/api/v1/systems",
        "systems",
        {
            "status": ["online", "planned", "unknown", "error"],
            "type": ["api"],
            "category": ["category 7"],
            "owner": ["owner-7", "nobody"],
            "tag": ["tag7"],
            "search": ["area 77", "nothing"],
        },
    ),
    Hot(
        "/api/v1/audit",
        "audit_entries",
        {
            "entity": ["idea", "item", "audit"],
            "entity_id": ["row-7", "none"],
            "action": ["updated", "imported", "checked"],
            "actor": ["person-7", "nobody"],
            "request_id": ["request-7", "none"],
            "since": ["2025-12-01T00:00:00Z", "2030-01-01T00:00:00Z"],
            "until": ["2025-02-01T00:00:00Z", "2024-01-01T00:00:00Z"],
        },
        deep=10_000,
    ),
)
