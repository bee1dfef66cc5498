"""`deploy/`: its settings, its proxy and its unit are what `deploy/README.md` says of them."""

import os
import re
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Final

import httpx
import pytest

from core.settings import load_settings
from features.items.tests.factories import new_item
from tests.fixtures.commands import Handover
from tests.fixtures.programs import running
from tests.fixtures.servers import StartServer, free_port
from tests.fixtures.waiting import wait_for

ROOT: Final = Path(__file__).resolve().parents[1]
DEPLOY: Final = ROOT / "deploy"
NAME: Final = "handover.example.org"
OUTER: Final = """
daemon off; pid pid; error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
    {site}
}}
"""


def variables() -> dict[str, str]:
    lines = (DEPLOY / "handover.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_settings_are_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(DEPLOY / "handover.env", ".env")
    settings = load_settings()
    assert (settings.auth, settings.host) == ("keys", "127.0.0.1")
    assert {name.lower() for name in variables()} <= set(type(settings).model_fields)


def test_the_page_names_files_that_exist_and_the_ports_of_the_settings() -> None:
    page = (DEPLOY / "README.md").read_text()
    for name in re.findall(r"deploy/([\w.-]*\w)", page):
        assert (DEPLOY / name).is_file(), name
    given = variables()
    assert f"127.0.0.1:{given['ADMIN_PORT']}/health/ready" in page
    assert f"proxy_pass http://127.0.0.1:{given['PORT']};" in (DEPLOY / "nginx.conf").read_text()
    assert f"StateDirectory={Path(given['DATA_DIR']).name}" in (DEPLOY / "handover.service").read_text()


def test_the_scripts_are_commands_of_a_shell() -> None:
    for name in ("release", "backup"):
        script = DEPLOY / name
        assert script.stat().st_mode & 0o111, name
        subprocess.run(["sh", "-n", script], check=True)


def test_a_backup_is_kept_by_day_and_a_failure_is_one(tmp_path: Path) -> None:
    """Its programs are stood in for: they answer for PostgreSQL and for the monitor."""
    programs, data, kept = tmp_path / "bin", tmp_path / "data", tmp_path / "backups"
    for folder in (programs, data / "files", *(kept / f"2025-01-{day:02}" for day in range(1, 20))):
        folder.mkdir(parents=True)
    (data / "files" / "a.txt").write_text("bytes")
    (programs / "curl").write_text("#!/bin/sh\necho called >>calls\n")
    text = (DEPLOY / "backup").read_text()
    for there, here in (
        ("/var/backups/handover", kept),
        ("/var/lib/handover", data),
        ("MONITOR= ", "MONITOR=x "),
    ):
        text = text.replace(there, str(here))
    (tmp_path / "backup").write_text(text)

    def run(dump: str) -> int:
        (programs / "runuser").write_text(f"#!/bin/sh\n{dump}\n")
        for program in programs.iterdir():
            program.chmod(0o755)
        path = f"{programs}:{os.environ['PATH']}"
        done = subprocess.run(["sh", "backup"], cwd=tmp_path, env={"PATH": path}, check=False)
        return done.returncode

    assert run("echo broken; exit 1") == 1
    assert not (tmp_path / "calls").exists()
    assert not list(kept.glob("*/handover.dump"))
    assert run("echo dump") == 0
    assert (tmp_path / "calls").read_text() == "called\n"
    days = sorted(kept.iterdir())
    assert (len(days), days[0].name) == (14, "2025-01-07")
    assert (days[-1] / "handover.dump").read_text() == "dump\n"
    assert (days[-1] / "files.tar").is_file()


def test_the_unit_is_one_of_systemd(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    unit = tmp_path / "handover.service"
    text = (DEPLOY / "handover.service").read_text().replace("/opt/handover/current", str(ROOT))
    unit.write_text(re.sub("^(User|Group)=.*$", "", text, flags=re.MULTILINE))  # there may be no such user
    told = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert [line for line in told.stderr.splitlines() if unit.name in line] == []
    assert told.returncode == 0, told.stderr


def certificate(folder: Path) -> ssl.SSLContext:
    """Made for this test, and what trusts it."""
    subprocess.run(
        (
            "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -keyout privkey.pem -out fullchain.pem "
            f"-subj /CN={NAME} -addext subjectAltName=DNS:{NAME}"
        ).split(),
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return ssl.create_default_context(cafile=folder / "fullchain.pem")


@pytest.mark.slow
async def test_behind_the_proxy_it_is_closed_to_all_but_keys(
    live_server: StartServer, handover: Handover, tmp_path: Path
) -> None:
    for program in ("nginx", "openssl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    made = await handover("keys", "create", "writer", "--scope", "write")
    key = {"authorization": f"Bearer {re.search('hv_[a-z0-9_]+', made.out)[0]}"}  # type: ignore[index]  # it is there
    old_clients = (DEPLOY / "old-clients.conf").read_text().replace("10.0.0.0/8", "127.0.0.1")
    (tmp_path / "old-clients.conf").write_text(
        old_clients.replace("Bearer KEY", key["authorization"]),
    )
    settings = {name: variables()[name] for name in ("AUTH", "ALLOWED_HOSTS", "TRUSTED_PROXIES")}
    server = await live_server({**settings, "ADMIN_PORT": str(free_port())})
    secure, plain = free_port(), free_port()
    site = re.sub(r"listen \[::\][^;]*;", "", (DEPLOY / "nginx.conf").read_text())
    for given, here in {
        "#include /etc/nginx/handover-old-clients.conf": "include old-clients.conf",
        "listen 80": f"listen 127.0.0.1:{plain}",
        "listen 443": f"listen 127.0.0.1:{secure}",
        "http://127.0.0.1:8000": server.base_url,
        f"/etc/letsencrypt/live/{NAME}": str(tmp_path),
    }.items():
        site = site.replace(given, here)
    trust = certificate(tmp_path)
    (tmp_path / "nginx.conf").write_text(OUTER.format(site=site))
    with running("nginx", "-p", ".", "-e", "stderr", "-c", "nginx.conf", folder=tmp_path):
        async with proxied(secure, trust) as client, httpx.AsyncClient() as unsafe:

            async def serving() -> bool:
                try:
                    return (await client.get("/health/live")).status_code == 200
                except httpx.TransportError:
                    return False

            await wait_for(serving)
            to_tls = await unsafe.get(f"http://127.0.0.1:{plain}/api/items?limit=1", headers={"host": NAME})
            assert (to_tls.status_code, to_tls.headers["location"]) == (
                308,
                f"https://{NAME}/api/items?limit=1",
            )
            refused = await client.get("/api/items")
            assert refused.status_code == 401
            assert "max-age" in refused.headers["strict-transport-security"]
            told = re.findall(rf"https://{NAME}(/\S+) +# (\d{{3}})", (DEPLOY / "README.md").read_text())
            assert {path for path, _ in told} == {"/api/items", "/metrics"}
            for path, code in told:
                assert (await client.get(path)).status_code == int(code), path
            assert (
                await client.get("/api/items", headers={**key, "host": "other.example"})
            ).status_code == 421
            assert (await client.post("/api/items", json=new_item(), headers=key)).status_code == 201
            old = [await client.post("/api/workspace/items", json=new_item())]
            old += [
                await client.get(f"/api/{each}") for each in ("workspace/items", "documentation/api/v1/ideas")
            ]
            assert [each.status_code for each in old] == [201, 200, 200]
            assert old[1].json()["count"] == 2
            assert (await client.get("/api/documentation/api/v1/keys")).status_code == 403
            large = {"file": ("notes.txt", b"some notes\n" * 500_000)}
            stored = await client.post("/api/v1/files/upload", files=large, headers=key)
            assert stored.status_code == 201, stored.text
            path = f"/api/v1/files/{stored.json()['data']['id']}/download"
            assert (await client.get(path, headers=key)).content == large["file"][1]


def proxied(port: int, trust: ssl.SSLContext) -> httpx.AsyncClient:
    """Client of the name, which leads to the proxy."""
    return httpx.AsyncClient(
        base_url=f"https://127.0.0.1:{port}",
        verify=trust,
        headers={"host": NAME},
        event_hooks={"request": [_name]},
    )


async def _name(request: httpx.Request) -> None:
    request.extensions["sni_hostname"] = NAME
