"""Taking an old registry over in the app of the run, as the command does."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from features.imports.api import RegistryOptions, accept_registry

if TYPE_CHECKING:
    from fastapi import FastAPI

    from core.platform import Platform

Job = dict[str, Any]
Takeover = Callable[..., Awaitable[Job]]


class _Operator:
    name = "operator"
    request_id = None


@pytest.fixture
def takeover(app: "FastAPI", client: httpx.AsyncClient) -> Takeover:
    """`job = await takeover(folder, files=..., on_conflict=...)`: the job after its end."""

    async def run(place: Path | str, **options: object) -> Job:
        platform: Platform = app.state.platform
        chosen = RegistryOptions.model_validate({"source": "questdb", **options})
        job = await accept_registry(
            platform.db, platform.jobs, platform.settings, _Operator(), str(place), chosen
        )
        await platform.jobs.run(job.id)
        found: Job = (await client.get(f"/api/v1/jobs/{job.id}")).json()["data"]
        return found

    return run
