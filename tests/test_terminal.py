"""What commands write fits 100 columns, names what it is about, and says which version it is of."""

import json
import re
import tomllib
from pathlib import Path

from tests.fixtures.commands import Handover
from tests.fixtures.servers import StartServer
from tests.fixtures.services import TestServices
from tests.fixtures.waiting import wait_for

ROOT = Path(__file__).resolve().parents[1]


async def test_the_version_is_that_of_the_package(handover: Handover) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert (await handover("--version")).out == f"handover {version}\n"
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


async def test_the_openapi_document_needs_no_server(handover: Handover, tmp_path: Path) -> None:
    folder = tmp_path / "none"
    alone = {"DATABASE_URL": "postgresql://127.0.0.1:1/none", "DATA_DIR": str(folder)}
    outcome = await handover("openapi", environment=alone)
    assert (outcome.code, outcome.err) == (0, "")
    assert "/api/items" in json.loads(outcome.out)["paths"]
    assert not folder.exists()


async def test_jobs_are_listed_within_100_columns(handover: Handover, services: TestServices) -> None:
    services.execute(
        "INSERT INTO jobs (id, kind, state, phase, arguments, done, total, rejected, actor, created_at) "
        "SELECT gen_random_uuid(), 'systems.check_all', 'running', 'preflight', '{}', 9999999, 10000000, 1, "
        "'a', now()",
        url=services.database_url,
    )
    lines = (await handover("jobs", "list")).out.splitlines()
    assert "9,999,999 99%" in lines[1]
    assert max(map(len, lines)) <= 100


async def test_jobs_are_told_apart_by_what_they_are_about(handover: Handover, tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    for path in (tmp_path / "library.json", folder / f"{'x' * 60}.json"):
        path.write_text('{"items": []}')
    for arguments in (("library.json", "--dry-run"), ("library.json",), (f"{folder}/{'x' * 60}.json",)):
        assert (await handover("import", "lowdb", *arguments)).code == 0
    listed = (await handover("jobs", "list")).out
    assert max(map(len, listed.splitlines())) <= 100
    newest, real, dry = re.findall(r"^\S{36}  import\.lowdb .*\n  (.*)$", listed, re.MULTILINE)
    assert dry == "dry run, filename library.json, on conflict skip"
    assert real == "filename library.json, on conflict skip"
    assert newest == f"filename {'x' * 47}…, on conflict skip"


async def test_a_job_is_shown_in_words_and_json(handover: Handover, tmp_path: Path) -> None:
    (tmp_path / "library.json").write_text('{"items": []}')
    done = await handover("import", "lowdb", "library.json")
    [job] = re.findall(r"^job +(\S+)$", done.out, re.MULTILINE)
    shown = (await handover("jobs", "show", job)).out
    values = dict(re.findall(r"^(?:argument|result) (\w+) +(.*)$", shown, re.MULTILINE))
    assert (values["filename"], values["dryRun"], values["ignored"]) == (
        "library.json",
        "false",
        "[]",
    ), shown
    assert json.loads(values["seconds"]).keys() == {"preflight", "load", "verify"}


async def test_a_failed_job_leaves_no_progress_behind(handover: Handover, tmp_path: Path) -> None:
    (tmp_path / "library.json").write_text("{")
    failed = await handover("import", "lowdb", "library.json")
    assert failed.code == 1
    assert failed.out.startswith("Import of library.json failed\n")


async def test_help_has_placeholders_in_capitals_and_unbroken_words(handover: Handover) -> None:
    asked: list[tuple[str, ...]] = [()]
    for command in asked:
        told = (await handover(*command, "--help")).out
        usage = next(line for line in told.splitlines() if "Usage:" in line)
        placeholders = re.findall(r"\{.*?\}", usage)
        assert [each for each in placeholders if not each.isupper()] == [], usage
        assert not re.search(r"\|[a-z]+ *(?:│|$)", told, re.MULTILINE), told
        _, _, listed = told.partition("─ Commands ─")
        asked += [(*command, name) for name in re.findall(r"^│ ([a-z]\S*)", listed, re.MULTILINE)]
    assert ("import", "lowdb") in asked
    assert ("db", "new") in asked


async def test_slow_queries_of_a_command_are_told_only_where_it_is_asked(
    handover: Handover, tmp_path: Path
) -> None:
    (tmp_path / "library.json").write_text('{"items": []}')
    assert (await handover("import", "lowdb", "library.json")).err == ""
    told = await handover("import", "lowdb", "library.json", environment={"SLOW_QUERY_MS": "0"})
    assert "database.slow_query" in told.err


async def test_help_is_wrapped_once(handover: Handover) -> None:
    lines = (await handover("import", "lowdb", "--help")).out.splitlines()
    paragraph = next(place for place, line in enumerate(lines) if "Every record is checked" in line)
    assert len(lines[paragraph].strip()) > 80
    assert len(lines[paragraph + 1].strip()) > 40


async def test_a_missing_place_is_one_sentence_that_names_it_as_given(
    handover: Handover, tmp_path: Path
) -> None:
    for verb in ("import", "verify"):
        outcome = await handover(verb, "lowdb", "no/where.json")
        assert outcome.code == 1
        assert outcome.err == "handover: no/where.json does not exist\n"
    for list_or_form in (("csv", "items"), ("lowdb",)):
        outcome = await handover("export", *list_or_form, "no/where.csv")
        assert outcome.err == "handover: no/where.csv cannot be written: No such file or directory\n"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    outcome = await handover("export", "registry", "./full")
    assert outcome.err.startswith("handover: full is not empty")


async def test_json_has_no_banner_in_it(live_server: StartServer) -> None:
    server = await live_server()
    await wait_for(lambda: '"app.serving"' in server.output())
    events = [json.loads(line) for line in server.output().splitlines()]
    [serving] = [event for event in events if event["event"] == "app.serving"]
    assert serving["url"] == server.base_url
