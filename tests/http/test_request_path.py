"""The way of a request through our files. `pytest -s tests/http/test_request_path.py` prints each call."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Final

import httpx

from features.items.tests.factories import new_item
from tests.fixtures.application import RunningApp

ROOT: Final = Path(__file__).resolve().parents[2]
OURS: Final = (f"{ROOT}/core/", f"{ROOT}/features/")

MOST_CHANGES_OF_FILE: Final = {"PUT": 40, "GET": 33, "GET cached": 16}


async def path_of(request: Callable[[], Awaitable[httpx.Response]]) -> list[tuple[str, str]]:
    """(file, function) of each call of a function of ours, in order. A coroutine that goes on is no call,
    and what other tasks do meanwhile is no part of the way.
    """
    task = asyncio.current_task()
    calls: list[tuple[str, str]] = []
    seen: set[FrameType] = set()

    def profile(frame: FrameType, event: str, argument: object) -> None:
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(OURS) and frame not in seen and asyncio.current_task() is task:
            seen.add(frame)
            calls.append((name.removeprefix(f"{ROOT}/"), frame.f_code.co_qualname))

    sys.setprofile(profile)
    try:
        answer = await request()
    finally:
        sys.setprofile(None)
    assert answer.is_success, answer.text
    return calls


def changes_of_file(calls: list[tuple[str, str]]) -> int:
    return sum(before[0] != after[0] for before, after in pairwise(calls))


async def test_a_request_goes_through_few_files(running_app: RunningApp) -> None:
    # However late a busy machine looks at the log of changes, that is no part of the way.
    async with running_app(cache_hosts_bound_ms=60_000) as client:
        item = (await client.post("/api/items", json=new_item())).json()["data"]
        url = f"/api/items/{item['id']}"
        requests: dict[str, Callable[[], Awaitable[httpx.Response]]] = {
            "PUT": lambda: client.put(url, json={"title": "Changed"}),
            "GET": lambda: client.get(url),
            "GET cached": lambda: client.get(url),
        }
        for name, request in requests.items():
            if name == "PUT":
                await request()  # what is made at the first use is there
            await asyncio.sleep(0)
            calls = await path_of(request)
            files, changes = {file for file, _ in calls}, changes_of_file(calls)
            lines = [f"{name:10} {file:40} {function}" for file, function in calls]
            lines.append(f"{name}: {len(calls)} calls in {len(files)} files, {changes} changes of file\n\n")
            sys.stdout.write("\n".join(lines))
            assert changes <= MOST_CHANGES_OF_FILE[name], f"{name}: the way is in the output"
