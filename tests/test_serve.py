"""`handover serve` as a process: it says where it is, stops in order, leaves nothing, and refuses in one
sentence.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from core.database_url import place_of
from core.processes import command_line
from core.server.serve import StopRequested, stop_signals
from tests.fixtures.commands import Handover
from tests.fixtures.servers import StartServer, free_port
from tests.fixtures.services import TestServices, with_database
from tests.fixtures.waiting import wait_for

EMBEDDED = {"DATABASE_URL": None, "REDIS_URL": None}


def descendants(pid: int) -> set[int]:
    """Every process below this one, supervisors and their services included while their starter lives."""
    children: dict[int, set[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, set()).add(int(entry.name))
    found, waiting = set[int](), [pid]
    while waiting:
        below = children.get(waiting.pop(), set()) - found
        found |= below
        waiting.extend(below)
    return found


def alive(pids: set[int]) -> set[int]:
    """Those that still run; a zombie has no command line and counts as ended."""
    return {pid for pid in pids if command_line(pid)}


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_signal_stops_everything_in_order(
    live_server: StartServer, workers: str, number: signal.Signals
) -> None:
    server = await live_server({**EMBEDDED, "WORKERS": workers, "LOG_FORMAT": "text"})
    async with server.client() as client:
        assert (await client.get("/api/items")).json()["data"] == []
    await wait_for(lambda: "Ctrl-C stops it" in server.output())
    for path in ("/console", "/api/items", "/docs", "/health"):
        assert f"{server.base_url}{path}" in server.output()
    below = descendants(server.pid)
    assert len(below) >= 4 + int(workers)
    assert await server.stop(number) == 0
    # Python's own helper for spawned workers ends a moment after the server, when it sees its pipe closed.
    await wait_for(lambda: not alive(below), message="processes outlive their stopped server")
    assert "Traceback" not in server.output()


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_killed_server_leaves_nothing(live_server: StartServer, workers: str) -> None:
    server = await live_server({**EMBEDDED, "WORKERS": workers})
    below = descendants(server.pid)
    assert len(below) >= 4 + int(workers)
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait()
    await wait_for(lambda: not alive(below), 20, message="processes outlive their killed server")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("place", ["callback", "task", "finalizer"])
def test_a_stop_signal_is_not_lost_wherever_it_arrives(place: str) -> None:
    """Signal handlers run between any two instructions of the main thread: inside a callback or a task of an
    event loop too, where asyncio keeps most exceptions to itself.
    """

    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    async def send() -> None:
        signal.raise_signal(signal.SIGTERM)

    async def work() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)  # it would tell of a task whose exception nobody asks for
        if place == "callback":
            loop.call_soon(signal.raise_signal, signal.SIGTERM)
        sending = asyncio.create_task(send()) if place == "task" else None
        if place == "finalizer":
            Finalized()
        else:
            await asyncio.wait_for(asyncio.Event().wait(), 10)
        del sending

    with suppress(StopRequested), stop_signals() as stopping:
        asyncio.run(work())
        assert place == "finalizer"
    assert stopping.is_set()


@pytest.mark.slow
async def test_it_stops_with_the_process_that_started_it(live_server: StartServer, tmp_path: Path) -> None:
    """As `make run` does: make killed with -9 must not leave a server."""
    server = await live_server(EMBEDDED)
    await server.stop()
    starter = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-P', '-m', 'core.cli', 'serve', '--stop-with-parent'])\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    with subprocess.Popen(  # noqa: ASYNC220 - it is killed below
        [sys.executable, "-c", starter],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=dict(server.environment),
        cwd=tmp_path,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        await wait_for(lambda: len(descendants(child)) >= 5, 40, message="the server does not start")
        below = descendants(child) | {child}
        parent.kill()
        await wait_for(lambda: not alive(below), 60, message="the server outlives its parent")


@pytest.mark.slow
async def test_a_signal_while_starting_stops_it(live_server: StartServer) -> None:
    server = await live_server(EMBEDDED, wait=False)
    await wait_for(lambda: descendants(server.pid), 20)
    below = descendants(server.pid)
    assert await server.stop() == 0
    await wait_for(lambda: not alive(below), message="processes outlive their stopped server")
    assert "Traceback" not in server.output()


@pytest.mark.slow
async def test_two_servers_share_a_data_folder(live_server: StartServer) -> None:
    first = await live_server(EMBEDDED)
    second = await live_server(EMBEDDED)
    assert await first.stop() == 0
    async with second.client() as client:
        assert (await client.get("/health")).json()["status"] == "healthy"
    assert await second.stop() == 0


@pytest.mark.parametrize("is_reachable", [True, False])
async def test_it_names_the_services_that_it_uses(
    live_server: StartServer, services: TestServices, is_reachable: bool
) -> None:
    port = free_port()
    redis = services.redis_url if is_reachable else f"redis://:sesame@127.0.0.1:{port}/0"
    server = await live_server({"REDIS_URL": redis, "LOG_FORMAT": "text"})
    await wait_for(lambda: "Ctrl-C stops it" in server.output())
    said = server.output()
    assert f"Uses    PostgreSQL at {place_of(services.database_url)}\n" in said
    place = place_of(redis)
    tail = "" if is_reachable else " (unreachable now, so reads are slower: ConnectionError)"
    assert f"Uses    Redis at {place}{tail}\n" in said
    assert "sesame" not in said.partition("Handover serves")[2]


async def test_a_redis_that_refuses_is_named_with_what_it_means(live_server: StartServer) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            writer.write(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1") as redis:
        place = f"127.0.0.1:{redis.sockets[0].getsockname()[1]}/0"
        server = await live_server({"REDIS_URL": f"redis://:sesame@{place}", "LOG_FORMAT": "text"})
        await wait_for(lambda: "Ctrl-C stops it" in server.output())
    said = server.output().partition("Handover serves")[2]
    assert f"Uses    Redis at {place} (refuses us now, so reads are slower: AuthenticationError)\n" in said


async def refusal(handover: Handover, environment: dict[str, str | None]) -> str:
    """The sentence with which a server that cannot start ends."""
    outcome = await handover("serve", environment={"PORT": str(free_port()), **environment})
    assert outcome.code == 1, outcome
    output = (outcome.out + outcome.err).strip()
    assert output.startswith("handover: ")
    assert "\n" not in output
    return output.removeprefix("handover: ")


async def test_a_taken_port_is_one_sentence(handover: Handover) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        sentence = await refusal(handover, {**EMBEDDED, "PORT": port})
    assert sentence == f"Port {port} is taken by another program; stop that one or set PORT to a free port."


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "handover.example"])
async def test_nobody_opens_the_service_to_a_network_by_accident(handover: Handover, host: str) -> None:
    sentence = await refusal(handover, {"HOST": host})
    assert sentence == (
        f"HOST={host} would let everybody who reaches this machine read and change everything, because AUTH "
        "is off; set AUTH=keys, or ALLOW_OPEN=true when something else guards it."
    )


@pytest.mark.parametrize("told", [{"AUTH": "keys"}, {"ALLOW_OPEN": "true"}])
async def test_it_listens_everywhere_when_it_is_told_to(
    live_server: StartServer, told: dict[str, str]
) -> None:
    server = await live_server({"HOST": "0.0.0.0", **told})
    async with server.client() as client:
        assert (await client.get("/api/items")).status_code == (401 if "AUTH" in told else 200)


async def test_a_taken_admin_port_is_one_sentence(handover: Handover) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        sentence = await refusal(handover, {"ADMIN_PORT": port})
    assert sentence.endswith("stop that one or set ADMIN_PORT to a free port.")


async def test_an_address_of_another_machine_is_one_sentence(handover: Handover) -> None:
    sentence = await refusal(handover, {"HOST": "192.0.2.1", "AUTH": "keys"})
    assert sentence.startswith("Cannot listen on 192.0.2.1:")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_an_unreachable_database_is_one_sentence(handover: Handover, host: str) -> None:
    url = f"postgresql://somebody:sesame@{host}:{free_port()}/ideas"
    sentence = await refusal(handover, {"DATABASE_URL": url})
    assert sentence.startswith("The database cannot be reached (connect ECONNREFUSED ")
    assert sentence.endswith("start it or correct DATABASE_URL.")
    assert "sesame" not in sentence


async def test_a_missing_database_is_one_sentence(handover: Handover, services: TestServices) -> None:
    url = with_database(services.admin_url, "nowhere")
    sentence = await refusal(handover, {"DATABASE_URL": url})
    assert sentence.startswith(
        'The database refused: database "nowhere" does not exist; correct DATABASE_URL'
    )


@pytest.mark.parametrize(
    ("encoding", "commands"),
    [("SQL_ASCII", [("db", "deploy")]), ("LATIN1", [("db", "status"), ("jobs", "list")])],
)
async def test_a_database_that_cannot_hold_every_text_is_refused(
    handover: Handover,
    services: TestServices,
    encoding: str,
    commands: list[tuple[str, ...]],
) -> None:
    name = f"{services.template}_{encoding.lower()}_{os.getpid()}"
    options = f"ENCODING '{encoding}' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0"
    services.execute(f'CREATE DATABASE "{name}" {options}')
    try:
        environment = {"DATABASE_URL": with_database(services.admin_url, name)}
        sentence = (
            f"The database's encoding is {encoding}, which cannot hold every text; make one with "
            "`createdb -E UTF8 -T template0 NAME` and correct DATABASE_URL."
        )
        assert await refusal(handover, dict(environment)) == sentence
        for command in commands:
            done = await handover(*command, environment=environment)
            assert (done.code, done.err.strip().splitlines()[-1]) == (1, f"handover: {sentence}")
    finally:
        services.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


async def test_a_wrong_url_is_one_sentence(handover: Handover) -> None:
    sentence = await refusal(handover, {"DATABASE_URL": "mysql://localhost/ideas"})
    assert sentence.startswith("DATABASE_URL must start with postgresql://")


async def test_an_unwritable_folder_is_one_sentence(handover: Handover, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    sentence = await refusal(handover, {**EMBEDDED, "DATA_DIR": str(tmp_path / "file" / "data")})
    assert sentence.endswith("(Not a directory); set DATA_DIR to a folder that you may write.")
