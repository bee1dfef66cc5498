"""The embedded services: shared by whoever uses the data folder, gone when nobody does, however users end."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis as redis_client

from core.processes import command_line
from core.server.embedded.server import ServiceName, ServicePaths, StartError
from core.server.embedded.services import ensure_writable, local_services
from core.settings import IN_PROCESS_CACHE, Settings
from tests.fixtures.programs import runs
from tests.fixtures.services import run_sql
from tests.fixtures.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("clean_environment")]

SERVICES: tuple[ServiceName, ...] = ("postgres", "redis")

USER = """
import sys
from pathlib import Path
from core.server.embedded.services import local_services
from core.settings import Settings
with local_services(Settings(data_dir=Path(sys.argv[1]))) as settings:
    print(settings.database_url, settings.redis_url, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A data folder whose path is too long for sockets inside it."""
    return tmp_path / ("long" * 30)


@contextmanager
def user_process(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another program that uses the services until it is told to go, or killed."""
    command = [sys.executable, "-c", USER, str(data_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def processes_of(data_dir: Path) -> list[int]:
    """Whoever has the folder in its command line: supervisors, PostgreSQL, Redis."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if str(data_dir) in command_line(pid) and pid != os.getpid()]


def left_by(data_dir: Path) -> list[object]:
    """What nobody needs any more once the services have ended: processes, and sockets outside the folder."""
    sockets = [ServicePaths(service, data_dir).socket_dir for service in SERVICES]
    outside = [folder for folder in sockets if not folder.is_relative_to(data_dir) and folder.exists()]
    return [*processes_of(data_dir), *outside]


def state_of(data_dir: Path, service: str) -> dict[str, int]:
    state: dict[str, int] = json.loads((data_dir / "local" / service / "state.json").read_text())
    return state


def embedded(data_dir: Path) -> Settings:
    return Settings(data_dir=data_dir)


def database_of(settings: Settings) -> str:
    assert settings.database_url is not None
    return settings.database_url


def test_both_services_answer_and_nothing_is_left(tmp_path: Path) -> None:
    with local_services(embedded(tmp_path)) as running:
        assert run_sql(database_of(running), "SHOW server_version").startswith("18")
        assert run_sql(database_of(running), "SHOW listen_addresses") == ""
        assert run_sql(database_of(running), "SHOW timezone") == "UTC"
        collation = "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = current_database()"
        assert run_sql(database_of(running), collation) == "b|C.UTF-8"
        with redis_client.Redis.from_url(str(running.redis_url)) as cache:
            assert cache.config_get("save") == {"save": ""}
            assert cache.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
        for service in SERVICES:
            folder = ServicePaths(service, tmp_path).socket_dir
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert left_by(tmp_path) == []


def test_data_stays_and_the_cache_does_not(tmp_path: Path) -> None:
    with local_services(embedded(tmp_path)) as running:
        run_sql(database_of(running), "CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)")
        with redis_client.Redis.from_url(str(running.redis_url)) as cache:
            cache.set("kept", "7")
    with local_services(embedded(tmp_path)) as running:
        assert run_sql(database_of(running), "SELECT id FROM kept") == "7"
        with redis_client.Redis.from_url(str(running.redis_url)) as cache:
            assert cache.get("kept") is None


def test_users_share_the_services_until_the_last_one_leaves(tmp_path: Path) -> None:
    with user_process(tmp_path) as other:
        line = first_line(other)
        with local_services(embedded(tmp_path)) as running:
            assert line == f"{running.database_url} {running.redis_url}"
            supervisor = state_of(tmp_path, "postgres")["supervisor"]
            assert other.stdin is not None
            other.stdin.write("\n")
            other.stdin.flush()
            assert other.wait(timeout=20) == 0
            assert run_sql(database_of(running), "SELECT 1") == "1"
            assert state_of(tmp_path, "postgres")["supervisor"] == supervisor
    assert left_by(tmp_path) == []


def test_a_killed_user_leaves_nothing(tmp_path: Path) -> None:
    with user_process(tmp_path) as user:
        assert first_line(user)
        assert processes_of(tmp_path)
        user.kill()
        user.wait()
        wait_until(lambda: not left_by(tmp_path), 20, message="services outlive their killed user")


def test_a_killed_supervisor_leaves_nothing_and_the_next_start_works(deep: Path) -> None:
    with local_services(embedded(deep)) as running:
        run_sql(database_of(running), "CREATE TABLE kept AS SELECT 7 AS id")
        states = [state_of(deep, service) for service in SERVICES]
        for state in states:
            os.kill(state["supervisor"], signal.SIGKILL)
        for state in states:
            wait_until(lambda pid=state["pid"]: not runs(pid), 20)  # type: ignore[misc]
        with local_services(embedded(deep)) as again:
            assert run_sql(database_of(again), "SELECT id FROM kept") == "7"
    assert left_by(deep) == []


@pytest.mark.parametrize("service", ["postgres", "redis"])
def test_a_crashed_service_comes_back(tmp_path: Path, service: str) -> None:
    with local_services(embedded(tmp_path)) as running:
        before = state_of(tmp_path, service)
        os.kill(before["pid"], signal.SIGKILL)
        wait_until(lambda: state_of(tmp_path, service)["pid"] != before["pid"], 20)
        assert state_of(tmp_path, service)["supervisor"] == before["supervisor"]
        assert run_sql(database_of(running), "SELECT 1") == "1"
        with redis_client.Redis.from_url(str(running.redis_url)) as cache:
            assert cache.ping()
    assert left_by(tmp_path) == []


def test_a_service_that_keeps_crashing_is_given_up(deep: Path) -> None:
    with local_services(embedded(deep)):
        supervisor = state_of(deep, "redis")["supervisor"]

        def killed_again() -> bool:
            path = ServicePaths("redis", deep).state
            if path.exists():
                pid = state_of(deep, "redis")["pid"]
                if runs(pid):
                    os.kill(pid, signal.SIGKILL)
            return command_line(supervisor) == ""

        wait_until(killed_again, 30, message="the supervisor restarts the service for ever")
    assert left_by(deep) == []


def test_many_users_come_and_go_at_once(tmp_path: Path) -> None:
    for _ in range(2):
        command = [sys.executable, "-c", USER, str(tmp_path)]
        users = [
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            for _ in range(5)
        ]
        answers = {user.communicate(timeout=60)[0] for user in users}
        assert [user.returncode for user in users] == [0] * 5
        assert len(answers) == 1
        assert answers.pop().startswith("postgresql://")
    assert left_by(tmp_path) == []


def test_what_is_given_is_not_started(tmp_path: Path) -> None:
    given = Settings(
        data_dir=tmp_path, database_url="postgresql://elsewhere/ideas", redis_url=IN_PROCESS_CACHE
    )
    with local_services(given) as running:
        assert running is given
    assert list(tmp_path.iterdir()) == []


def test_only_what_is_missing_is_started(tmp_path: Path) -> None:
    given = Settings(data_dir=tmp_path, database_url="postgresql://elsewhere/ideas")
    with local_services(given) as running:
        assert running.database_url == "postgresql://elsewhere/ideas"
        assert str(running.redis_url).startswith("unix://")
        assert not (tmp_path / "local" / "postgres").exists()


def test_a_long_or_odd_path_works(tmp_path: Path) -> None:
    data_dir = tmp_path / "a folder, with 'odd' characters" / ("long" * 30)
    paths = ServicePaths("postgres", data_dir)
    assert not paths.socket_dir.is_relative_to(data_dir)
    with local_services(embedded(data_dir)) as running:
        assert run_sql(database_of(running), "SELECT 1") == "1"
        assert stat.S_IMODE(paths.socket_dir.stat().st_mode) == 0o700
    assert left_by(data_dir) == []


def test_a_foreign_socket_folder_is_refused(tmp_path: Path, deep: Path) -> None:
    paths = ServicePaths("redis", deep)
    target = tmp_path / "elsewhere"
    target.mkdir()
    paths.socket_dir.symlink_to(target)
    given = Settings(data_dir=deep, database_url="postgresql://elsewhere/ideas")
    try:
        with pytest.raises(StartError, match="belongs to another user"), local_services(given):
            pass
    finally:
        paths.socket_dir.unlink()


def test_an_interrupted_first_start_is_begun_again(tmp_path: Path) -> None:
    base = ServicePaths("postgres", tmp_path).base
    (base / "data.new").mkdir(parents=True)
    (base / "data.new" / "half").write_text("made")
    with local_services(embedded(tmp_path)) as running:
        assert run_sql(database_of(running), "SELECT 1") == "1"
    assert not (base / "data.new").exists()


def test_a_cluster_that_cannot_start_is_one_sentence(deep: Path) -> None:
    with local_services(embedded(deep)):
        pass
    (ServicePaths("postgres", deep).data / "postgresql.conf").write_text("port = nonsense\n")
    with pytest.raises(StartError) as caught, local_services(embedded(deep)):
        pass
    assert str(caught.value).startswith("PostgreSQL did not start: ")
    assert "\n" not in str(caught.value)
    assert left_by(deep) == []


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for use in (
        lambda: ensure_writable(tmp_path / "file" / "data"),
        lambda: local_services(embedded(tmp_path / "file" / "data")).__enter__(),
    ):
        with pytest.raises(StartError, match=r"The data folder .* cannot be used \(Not a directory\)"):
            use()
