"""The app with a folder of documents."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.fixtures.application import RunningApp


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder


@pytest_asyncio.fixture(loop_scope="session")
async def library(running_app: RunningApp, docs: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app that reads `docs`."""
    async with running_app(docs_dir=docs) as client:
        yield client
