"""Old registries as ZIP files, sent over HTTP."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import httpx

from features.imports.tests.factories import IMPORTS, Job, ended
from features.imports.tests.registry.factories import csv, entry, file, idea, system

GUIDE = b"# Guide\n\nwordofguide\n"


def tables(**rows: Any) -> dict[str, bytes]:
    """CSV files by name."""
    named = {f"documentation_{name}": given for name, given in rows.items()}
    return {f"{table}.csv": csv(given, list(given[0])) for table, given in named.items()}


def registry(**changes: object) -> dict[str, bytes]:
    return tables(
        systems=[system(id="s", name="Hub")],
        ideas=[idea(id="i", system_id="s", **changes)],
        files=[file(id="f", idea_id="i")],
        audit_log=[entry(id="e", entity_id="i")],
    )


def packed(files: Mapping[Any, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


async def post(
    client: httpx.AsyncClient, content: bytes, path: str = IMPORTS, **fields: str
) -> httpx.Response:
    form = {"source": "questdb", **fields}
    return await client.post(path, files={"file": ("old.zip", content, "application/zip")}, data=form)


async def done(client: httpx.AsyncClient, content: bytes, path: str = IMPORTS, **fields: str) -> Job:
    answer = await post(client, content, path, **fields)
    assert answer.status_code == 202, answer.text
    return await ended(client, answer.json()["data"]["id"])
