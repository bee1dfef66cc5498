"""The old proxy's paths lead to Handover's, by the configurations that the guide gives."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from features.imports.tests.factories import FIVE, imported, lowdb
from tests.fixtures.programs import running
from tests.fixtures.servers import StartServer, free_port
from tests.fixtures.waiting import wait_for
from tests.takeover.transcript import GUIDE

pytestmark = pytest.mark.slow

AROUND: Final = {
    "nginx": "daemon off; pid {folder}/pid; error_log stderr; events {{}}\n"
    "http {{\naccess_log off;\n{temporary}\n{given}}}\n",
    "haproxy": "defaults\n mode http\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n{given}",
}
"""What else a configuration needs to run in a folder of its own."""

TEMPORARY: Final = "\n".join(
    f"{each}_temp_path {each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)
COMMANDS: Final = {
    "nginx": ["nginx", "-p", ".", "-e", "stderr", "-c"],
    "haproxy": ["haproxy", "-q", "-f"],
}
ORIGIN: Final = "http://bank.example"
ITEM: Final = {"title": "t", "description": "d", "category": "dashboard", "priority": "low"}


def block(language: str) -> str:
    [found] = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    return str(found)


def variables() -> dict[str, str | None]:
    """What the guide adds to `.env`."""
    return dict(re.findall(r"^> ([A-Z_]+)=(.*)$", GUIDE.read_text(), re.MULTILINE))


@contextmanager
def proxy(program: str, folder: Path, target: str) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    given = block(program).replace("127.0.0.1:8000", target)
    given = given.replace("bind :80", f"bind {address}").replace("listen 80", f"listen {address}")
    configuration = folder / f"{program}.conf"
    configuration.write_text(AROUND[program].format(folder=folder, temporary=TEMPORARY, given=given))
    with running(*COMMANDS[program], configuration, folder=folder):
        yield f"http://{address}"


@pytest.mark.parametrize("program", sorted(AROUND))
async def test_the_old_proxys_paths_are_answered(
    program: str, live_server: StartServer, tmp_path: Path
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    server = await live_server(variables())
    with proxy(program, tmp_path, server.base_url.removeprefix("http://")) as url:
        async with server.client() as own, httpx.AsyncClient(base_url=url) as client:

            async def serving() -> bool:
                try:
                    return (await client.get("/api/workspace/health")).status_code == 200
                except httpx.TransportError:
                    return False

            await wait_for(serving, message=f"{program} does not answer")
            assert (await imported(own, lowdb(FIVE)))["state"] == "succeeded"
            for old, new in {
                "/api/workspace/items": "/api/items",
                "/api/workspace/items?limit=2&status=new": "/api/items?limit=2&status=new",
                "/api/workspace/items/legacy%2F42%20%C3%A7": "/api/items/legacy%2F42%20%C3%A7",
                "/api/workspace/api/items/B": "/api/items/B",
                "/api/documentation/api/v1/ideas": "/api/v1/ideas",
                "/api/documentation/api/v1/systems?limit=1": "/api/v1/systems?limit=1",
            }.items():
                answer = await client.get(old, headers={"host": "bank.example"})
                assert answer.status_code == 200, old
                assert answer.content == (await own.get(new)).content
            for origin, status in {
                ORIGIN: 201,
                variables()["CORS_ORIGINS"]: 201,
                "http://evil.example": 403,
            }.items():
                headers = {"host": "bank.example", "origin": str(origin)}
                answer = await client.post("/api/workspace/items", json=ITEM, headers=headers)
                assert answer.status_code == status, answer.text
