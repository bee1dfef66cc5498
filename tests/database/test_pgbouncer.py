"""PgBouncer in transaction mode in front of PostgreSQL: everything works, and every limit is in force."""

import asyncio
import json
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx
import pytest

from core.database.client import Author, Database
from core.database.errors import DatabaseUnavailable, LockTimeout, StatementTimeout
from core.database.transaction import unit_of_work
from core.http.answers.projection import projected
from core.server.embedded.server import Account
from features.items.schemas import Item
from tests.database.engines import connected
from tests.database.test_authored import item
from tests.fixtures.commands import Handover
from tests.fixtures.programs import running
from tests.fixtures.servers import StartServer, free_port
from tests.fixtures.services import TestServices
from tests.fixtures.waiting import wait_for, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="pgbouncer is not installed"),
]

ITEM = {"title": "t", "description": "d", "category": "dashboard", "priority": "low"}
LIMITS = "statement_timeout,lock_timeout,idle_in_transaction_session_timeout,options"


@contextmanager
def pgbouncer(folder: Path, url: str, **settings: object) -> Iterator[str]:
    """In front of the server of `url`; the URL that leads through it to the same database."""
    parts = urlsplit(url)
    known = {"host": parse_qs(parts.query).get("host", [parts.hostname])[0], "port": parts.port}
    known |= {"user": parts.username, "password": parts.password}
    server = " ".join(f"{name}={value}" for name, value in known.items() if value)
    port = free_port()
    lines = {"listen_addr": "127.0.0.1", "listen_port": port, "unix_socket_dir": "", "auth_type": "any"}
    lines |= {"pool_mode": "transaction", "default_pool_size": 4, **settings}
    configuration = folder / f"pgbouncer-{port}.ini"
    configuration.write_text(
        "\n".join(
            [
                f"[databases]\n* = {server}\n[pgbouncer]",
                *(f"{name} = {value}" for name, value in lines.items()),
            ]
        )
    )
    account = None
    if os.geteuid() == 0:  # as root it refuses to run
        entry = pwd.getpwnam("nobody")
        account = Account(entry.pw_uid, entry.pw_gid, enters_all=True)
    with running("pgbouncer", "--quiet", configuration, folder=folder, account=account):
        wait_until(lambda: _listens(port), message="PgBouncer does not listen")
        yield f"postgresql://{parts.username or ''}@127.0.0.1:{port}{parts.path}"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(params=["refuses limits", "ignores limits"])
def pooled(
    request: pytest.FixtureRequest, services: TestServices, tmp_path: Path
) -> Iterator[tuple[str, str]]:
    """The way to an empty database through PgBouncer, and past it. Its time zone is not UTC."""
    settings = {"ignore_startup_parameters": LIMITS} if request.param == "ignores limits" else {}
    with services.fresh_database("pooled", migrated=False) as url:
        services.execute(f"ALTER DATABASE \"{urlsplit(url).path.strip('/')}\" SET timezone = 'Asia/Kolkata'")
        with pgbouncer(tmp_path, url, **settings) as through:
            yield through, url


async def test_it_starts_migrates_and_does_its_work(
    pooled: tuple[str, str], live_server: StartServer, services: TestServices
) -> None:
    through, url = pooled
    server = await live_server({"DATABASE_URL": through, "REDIS_URL": "memory"})
    async with server.client() as client:
        assert (await client.get("/health/ready")).status_code == 200
        await write(client, "/api/items", ITEM)
        await write(client, "/api/v1/ideas", {**ITEM, "category": "api"})
        created = await asyncio.gather(*(client.post("/api/items", json=ITEM) for _ in range(60)))
        assert {answer.status_code for answer in created} == {201}
        item = f"/api/items/{created[0].json()['data']['id']}"
        changed = await asyncio.gather(*(client.put(item, json={"title": str(n)}) for n in range(20)))
        assert {answer.status_code for answer in changed} == {200}
        await imported(client)
    moments = "now() - created_at < interval '5 min', created_at = '2025-10-23T22:45:24.940Z'"
    counted = services.execute(f"SELECT {moments}, count(*) FROM items GROUP BY 1, 2 ORDER BY 3", url=url)
    assert counted.splitlines() == ["f|t|1", "t|f|60"]
    assert await server.stop() == 0
    # Nothing is left behind that a later deploy, here of another server, would have to wait for.
    assert services.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'", url=url) == "0"
    again = await live_server({"DATABASE_URL": through, "REDIS_URL": "memory"})
    assert await again.stop() == 0


async def write(client: httpx.AsyncClient, path: str, body: dict[str, str]) -> None:
    created = await client.post(path, json=body)
    assert created.status_code == 201, created.text
    one = f"{path}/{created.json()['data']['id']}"
    changed = await client.put(one, json={"title": "Changed"})
    assert changed.json()["data"]["title"] == "Changed", changed.text
    assert (await client.delete(one)).status_code == 200
    assert (await client.get(one)).status_code == 404


async def imported(client: httpx.AsyncClient) -> None:
    record = {**ITEM, "id": "a", "status": "new", "createdAt": "2025-10-23T22:45:24.940Z", "updatedAt": None}
    library = json.dumps({"items": [record]}).encode()
    started = await client.post(
        "/api/v1/imports", files={"file": ("library.json", library)}, data={"source": "lowdb"}
    )
    assert started.status_code == 202, started.text
    job = f"/api/v1/jobs/{started.json()['data']['id']}"

    async def ended() -> str:
        state: str = (await client.get(job)).json()["data"]["state"]
        return state if state not in ("queued", "running") else ""

    assert await wait_for(ended, 30) == "succeeded", (await client.get(job)).text


async def test_commands_deploy_past_it_where_a_way_is_known(
    pooled: tuple[str, str], handover: Handover
) -> None:
    through, url = pooled
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/nowhere"
    done = await handover("db", "deploy", environment={"DATABASE_URL": nowhere, "DATABASE_DIRECT_URL": url})
    assert done.code == 0, done
    done = await handover("db", "status", environment={"DATABASE_URL": through})
    assert done.code == 0, done


async def test_limits_and_time_zone_are_in_force(pooled: tuple[str, str]) -> None:
    through, url = pooled
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE held (id int); INSERT INTO held VALUES (1)")
    async with (
        connected(through, statement_timeout_s=0.4, lock_timeout_s=0.2) as db,
        connection.transaction(),
    ):

        async def sleep(tx: Database) -> None:
            await tx.query_raw("SELECT pg_sleep(30)::text AS slept")

        async def take(tx: Database) -> None:
            await tx.execute_raw("UPDATE held SET id = 2")

        async def zone(tx: Database) -> None:
            assert await tx.query_raw("SHOW TimeZone") == [{"TimeZone": "UTC"}]

        await connection.execute("UPDATE held SET id = 3")
        for work, error in ((sleep, StatementTimeout), (take, LockTimeout)):
            with pytest.raises(error):
                await work(db)
            with pytest.raises(error):
                await unit_of_work(db, work)
        await zone(db)
        await unit_of_work(db, zone)
        # Nor do they stay in a session that others are given.
        others = await asyncpg.connect(through, statement_cache_size=0)
        shown = {await others.fetchval("SHOW statement_timeout") for _ in range(8)}
        await others.close()
        assert shown == {"0"}
    await connection.close()


async def test_many_at_once_share_few_sessions(pooled: tuple[str, str]) -> None:
    through, _ = pooled
    async with connected(through, pool_size=20, pool_timeout_s=10) as db:
        rows = await asyncio.gather(*(db.query_raw("SELECT $1::int AS one", number) for number in range(200)))
    assert [row["one"] for [row] in rows] == list(range(200))


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of its own authority, for a host that is not the one that is connected to; its key lies beside it."""
    path = tmp_path / "certificate.pem"
    options = ("-subj", "/CN=elsewhere.example", "-days", "1", "-nodes", "-newkey", "rsa:2048")
    files = ("-keyout", str(path.with_suffix(".key")), "-out", str(path))
    command = ["openssl", "req", "-x509", *options, *files]
    subprocess.run(command, check=True, capture_output=True)
    return path


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize(
    ("offered", "wanted", "is_encrypted"),
    [
        ("require", "", None),
        ("require", "sslmode=disable", None),
        ("require", "sslmode=allow", True),
        ("require", "sslmode=prefer", True),
        ("require", "sslmode=require", True),
        ("require", "sslmode=require&sslrootcert={certificate}", True),
        ("require", "sslmode=verify-ca&sslrootcert={certificate}", True),
        ("require", "sslmode=verify-full&sslrootcert={certificate}", None),
        ("require", "sslmode=verify-full", None),
        ("allow", "sslmode=allow", False),
        ("allow", "sslmode=prefer", True),
        ("disable", "sslmode=prefer", False),
        ("disable", "sslmode=allow", False),
        ("disable", "sslmode=require", None),
    ],
)
async def test_sslmode_means_what_it_means_elsewhere(
    services: TestServices,
    tmp_path: Path,
    certificate: Path,
    offered: str,
    wanted: str,
    is_encrypted: bool | None,
) -> None:
    files = {"client_tls_cert_file": certificate, "client_tls_key_file": certificate.with_suffix(".key")}
    tls = {"client_tls_sslmode": offered, **({} if offered == "disable" else files)}
    log = tmp_path / "pgbouncer.log"
    with pgbouncer(tmp_path, services.database_url, logfile=log, **tls) as through:
        url = f"{through}?{wanted.format(certificate=certificate)}"
        async with connected(url) as db:
            if is_encrypted is None:
                with pytest.raises(DatabaseUnavailable):
                    await db.query_raw("SELECT 1 AS one")
            else:
                assert await db.query_raw("SELECT 1 AS one") == [{"one": 1}]
                logins = [line for line in log.read_text().splitlines() if "login attempt" in line]
                assert ["tls=no" not in line for line in logins][-1] == is_encrypted


async def test_a_database_that_is_gone_behind_it_is_unavailable(
    services: TestServices, tmp_path: Path
) -> None:
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/nowhere"
    with pgbouncer(tmp_path, nowhere) as through:
        async with connected(through, pool_timeout_s=1) as db:
            for _ in range(3):
                with pytest.raises(DatabaseUnavailable):
                    await db.query_raw("SELECT 1 AS one")


async def test_every_change_through_it_names_its_author(services: TestServices, tmp_path: Path) -> None:
    """Few sessions for many clients: no session keeps an author for the next one."""

    async def write(db: Database, number: int) -> None:
        writer = db if number % 4 == 3 else db.acting_as(Author(f"person-{number}"))
        values = item(str(number))
        if number % 4 == 0:
            await writer.item.create_many(data=[values])
        elif number % 4 == 1:
            await unit_of_work(writer, lambda tx: tx.item.create(data=values))
        else:
            await writer.item.create(data=values)
        await writer.execute_raw("UPDATE items SET title = 'changed' WHERE id = $1", str(number))

    with (
        services.fresh_database("pooled_authors") as url,
        pgbouncer(tmp_path, url, default_pool_size=2) as through,
    ):
        async with connected(through, pool_timeout_s=20) as db:
            await asyncio.gather(*(write(db, number) for number in range(40)))
            rows = await db.query_raw("SELECT entity_id, actor, action FROM audit_entries ORDER BY id")
            page = await projected(db, Item, lambda take: db.item.find_many(take=take), size=7)
    found: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        found.setdefault(row["entity_id"], []).append((row["actor"], row["action"]))
    for number in range(40):
        who = "database" if number % 4 == 3 else f"person-{number}"
        assert found[str(number)] == [(who, "created"), (who, "updated")]
    assert page.count == 7
