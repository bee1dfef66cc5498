"""One app with a folder of documents for all tests of a module: its start takes longer than most of them."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from core.settings import Settings
from tests.fixtures.application import client_of, lifespan_of, new_app


@pytest.fixture(scope="module")
def shelves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("library") / "docs"


@pytest.fixture
def docs(shelves: Path) -> Path:
    """The folder, empty."""
    shutil.rmtree(shelves, ignore_errors=True)
    shelves.mkdir()
    return shelves


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def reader(settings: Settings, shelves: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = new_app(settings.model_copy(update={"docs_dir": shelves}))
    async with lifespan_of(app), client_of(app) as client:
        yield client


@pytest.fixture
def library(reader: httpx.AsyncClient, docs: Path, emptied: None) -> httpx.AsyncClient:
    """A client of the app that reads `docs`; nothing is indexed yet."""
    return reader
