"""The way of an import through our files. `pytest -s features/imports/tests/test_import_path.py` prints each
call.
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

import httpx
import pytest

from features.imports.tests.factories import FIVE, imported, lowdb
from tests.http.test_request_path import changes_of_file

ROOT: Final = Path(__file__).resolve().parents[3]
OURS: Final = f"{ROOT}/features/"
BEGIN: Final = "features/imports/jobs.py"
MOST_CHANGES_OF_FILE: Final = 150


async def test_an_import_goes_through_few_files(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of five records, from the job's beginning to its end: calls of slices' functions, those in other
    threads too.
    """
    await imported(client, lowdb(list(FIVE)))  # what is made at the first use is there
    calls: list[tuple[str, str]] = []
    seen: set[FrameType] = set()

    def profile(frame: FrameType, event: str, argument: object) -> None:
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(OURS) and "/imports/tests/" not in name and frame not in seen:
            seen.add(frame)
            if (file := name.removeprefix(f"{ROOT}/")) == BEGIN or calls:
                calls.append((file, frame.f_code.co_qualname))

    to_thread = asyncio.to_thread

    async def profiled(work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        def run() -> Any:
            sys.setprofile(profile)
            try:
                return work(*arguments, **named)
            finally:
                sys.setprofile(None)

        return await to_thread(run)

    monkeypatch.setattr(asyncio, "to_thread", profiled)
    sys.setprofile(profile)
    try:
        job = await imported(client, lowdb([{**record, "id": f"new {record['id']}"} for record in FIVE]))
    finally:
        sys.setprofile(None)
    assert job["result"]["imported"] == len(FIVE)
    end = max(place for place, (_, function) in enumerate(calls) if function.startswith("close.<locals>"))
    way = calls[: end + 1]
    changes = changes_of_file(way)
    lines = [f"{file:45} {function}" for file, function in way]
    lines.append(f"{len(way)} calls in {len({file for file, _ in way})} files, {changes} changes of file\n")
    sys.stdout.write("\n".join(lines))
    assert changes <= MOST_CHANGES_OF_FILE, "the way is in the output"
