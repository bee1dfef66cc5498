"""The typed client on models that use everything: generated for the tests into folders that git ignores."""

import fcntl
import importlib
import os
import pkgutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest
import pytest_asyncio

from tests.fixtures.services import TestServices

SCHEMA = Path(__file__).parent / "showcase"
ENGINE = Path(__file__).resolve().parents[2] / "prisma" / "engine"
PYTHON_CLIENT = ENGINE / "generated-python"
GENERATED_MODULES = {"client", "models", "types", "actions", "enums", "bases", "partials", "metadata"}


def generate() -> None:
    """Generate both clients, unless they are newer than what they come from; several workers take turns."""
    from core.database.process import NODE

    ENGINE.joinpath("node_modules").mkdir(exist_ok=True)
    with ENGINE.joinpath("node_modules", ".showcase.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = PYTHON_CLIENT / "stamp"
        sources = [SCHEMA / "schema.prisma", ENGINE.parent / "generator.py", ENGINE / "package-lock.json"]
        if stamp.exists() and stamp.stat().st_mtime > max(source.stat().st_mtime for source in sources):
            return
        done = subprocess.run(
            [NODE, "node_modules/prisma/build/index.js", "generate", "--schema", SCHEMA / "schema.prisma"],
            cwd=ENGINE,
            env={
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{NODE.parent}{os.pathsep}{os.defpath}",
                "PRISMA_SCHEMA_ENGINE_BINARY": str(NODE),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        stamp.touch()


@pytest.fixture(scope="session")
def generated() -> Iterator[ModuleType]:
    """The second generated package. What is not generated (errors, fields, ...) it shares with the first."""
    import prisma

    generate()
    for found in pkgutil.iter_modules(prisma.__path__):
        if found.name not in GENERATED_MODULES | {"cli", "binaries", "__main__", "mypy"}:
            sys.modules[f"showcase.{found.name}"] = importlib.import_module(f"prisma.{found.name}")
    sys.path.insert(0, str(PYTHON_CLIENT))
    yield importlib.import_module("showcase")
    sys.path.remove(str(PYTHON_CLIENT))


@pytest.fixture(scope="session")
def showcase_url(services: TestServices, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database with the showcase's tables, written by Prisma's schema engine."""
    from core.database.process import NODE

    empty = tmp_path_factory.mktemp("migrations")
    empty.joinpath("migration_lock.toml").write_text('provider = "postgresql"\n')
    with services.fresh_database("showcase", migrated=False) as url:
        request = {"command": "diff", "url": url, "schema": str(SCHEMA), "migrations": str(empty)}
        answer = subprocess.run(
            [NODE, ENGINE / "schema.mjs"], input=orjson.dumps(request), capture_output=True, check=True
        )
        services.execute(orjson.loads(answer.stdout)["ok"]["sql"], url=url)
        yield url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def showcase_client(showcase_url: str, generated: ModuleType) -> AsyncIterator[Any]:
    from core.database.client import EngineBatch, EngineClient
    from core.database.process import EngineOptions

    class Batch(EngineBatch, generated.client.Batch):  # type: ignore[name-defined,misc]
        pass

    class Showcase(EngineClient, generated.Prisma):  # type: ignore[name-defined,misc]
        def batch_(self) -> Batch:
            return Batch(self)

    client = Showcase(
        EngineOptions(url=showcase_url, client=str(ENGINE / "generated-showcase" / "client.ts"), pool_size=4)
    )
    await client.connect()
    yield client
    await client.disconnect()


@pytest_asyncio.fixture(loop_scope="session")
async def showcase(showcase_client: Any) -> Any:
    """The connected client over empty tables."""
    await showcase_client.execute_raw(
        'TRUNCATE "Author", "Profile", "Book", "Label", "Place" RESTART IDENTITY CASCADE'
    )
    return showcase_client


@pytest_asyncio.fixture(loop_scope="session")
async def library(showcase: Any) -> Any:
    """Two authors with five books between them, and one book without an author."""

    async def author(email: str, titles: dict[str, int]) -> None:
        await showcase.author.create(
            data={
                "email": email,
                "name": email.partition("@")[0],
                "profile": {"create": {"bio": f"bio of {email}"}},
                "books": {"create": [{"title": title, "pages": pages} for title, pages in titles.items()]},
            }
        )

    await author("ada@example.org", {"Engines": 100, "Notes": 200, "Numbers": 300})
    await author("bo@example.org", {"Winds": 50, "Waves": 60})
    await showcase.book.create(data={"title": "Anonymous", "pages": 10})
    return showcase
