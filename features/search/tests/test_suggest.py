"""What is offered to somebody who is typing."""

from pathlib import Path

import httpx
import pytest

from features.search.tests.factories import put, reindex
from tests.fixtures.database import Connection


async def suggestions(client: httpx.AsyncClient, q: str, **parameters: object) -> list[str]:
    response = await client.get("/api/v1/suggest", params={"q": q, **parameters})  # type: ignore[dict-item]
    assert response.status_code == 200, response.text
    body = response.json()
    assert body.pop("success") is True
    found: list[str] = body.pop("data")
    assert body == {}
    return found


@pytest.fixture
async def shelf(library: httpx.AsyncClient, docs: Path) -> httpx.AsyncClient:
    put(
        docs, "1.md", "# Instalação do servidor\n\nO instalador pergunta pelo servidor. Instalador simples.\n"
    )
    put(docs, "2.md", "# Guia de instalação\n\nInstrumentos de medição.\n")
    put(docs, "3.md", "# Backup\n\nInstruções de restauro.\n")
    put(docs, "4.md", "# Guia de instalacao\n\nThe same title without accents.\n")
    await reindex(library)
    return library


async def test_titles_that_begin_so_come_first(shelf: httpx.AsyncClient) -> None:
    found = await suggestions(shelf, "instalac", limit=2)
    assert found[0] == "Instalação do servidor"
    assert found[1] in ("Guia de instalação", "Guia de instalacao")


async def test_then_words_of_documents(shelf: httpx.AsyncClient) -> None:
    assert await suggestions(shelf, "instr", limit=10) == ["instruções", "instrumentos"]
    assert await suggestions(shelf, "guia de instr", limit=10) == ["guia de instrumentos"]


async def test_each_is_offered_once(shelf: httpx.AsyncClient) -> None:
    found = await suggestions(shelf, "instal", limit=20)
    assert len(found) == len(set(found))
    assert len([each for each in found if each.lower().startswith("guia de instala")]) == 1
    assert "instalador" in found


async def test_the_limit_holds_and_is_five(shelf: httpx.AsyncClient) -> None:
    assert len(await suggestions(shelf, "list")) == 5
    assert len(await suggestions(shelf, "list", limit=6)) == 6
    assert (await shelf.get("/api/v1/suggest", params={"q": "x", "limit": 0})).status_code == 400
    assert (await shelf.get("/api/v1/suggest")).status_code == 400


async def test_nothing_fits(shelf: httpx.AsyncClient) -> None:
    assert await suggestions(shelf, "zzzzqq") == []
    assert await suggestions(shelf, "!!!") == []


async def test_typing_errors_are_forgiven_where_the_server_can(
    shelf: httpx.AsyncClient, connection: Connection
) -> None:
    """The server that comes with the project has no trigrams, most others do."""
    able = await connection.fetchval("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'")
    found = await suggestions(shelf, "intsalacao servido", limit=1)
    assert found == (["Instalação do servidor"] if able else [])
