"""Each operation is called on real data and answers as promised, its errors too: files, search, figures."""

import io
import zipfile
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.contract.conftest import StartJourney
from tests.contract.promises import search as searching
from tests.fixtures.application import RunningApp
from tests.fixtures.waiting import wait_for

NO_FORM: dict[str, Any] = {"content": b"{}", "headers": {"content-type": "application/json"}}
USER = {"x-user-id": "ada"}
NOTES = b"# Notes\n\nWhat the launcher does.\n"
TEXT = ("notes.md", NOTES, "text/markdown")
PROGRAM = ("setup.exe", b"MZ\x90\x00", "application/octet-stream")


async def made(client: httpx.AsyncClient, kind: str, **body: object) -> str:
    response = await client.post(f"/api/v1/{kind}", json={"description": "Launcher", **body}, headers=USER)
    assert response.status_code == 201, response.text
    return str(response.json()["data"]["id"])


async def test_files(start_journey: StartJourney, running_app: RunningApp) -> None:
    async with running_app(files_max_bytes=100_000) as client:
        walk = start_journey("files", client)
        root = "/api/v1/files"
        system = await made(client, "systems", name="Launcher", status="online")
        idea = await made(client, "ideas", title="Map", category="docs", priority="low")
        fields = {"idea_id": idea, "system_id": system, "description": "First", "is_public": "true"}
        upload = f"{root}/upload"
        stored = await walk.call("POST", upload, 201, data=fields, files={"file": TEXT}, headers=USER)
        file = stored["data"]
        assert (file["mimetype"], file["size"], file["uploadedBy"]) == ("text/markdown", len(NOTES), "ada")
        assert (file["ideaId"], file["systemId"], file["isPublic"]) == (idea, system, True)
        assert file["checksum"] == sha256(NOTES).hexdigest()
        one = f"{root}/{file['id']}"
        await walk.call("POST", upload, 400, files={"file": PROGRAM})
        await walk.call("POST", upload, 413, files={"file": ("a.txt", b"a" * 200_000, "text/plain")})
        await walk.call("POST", upload, 415, **NO_FORM)
        every = f"{root}/upload-multiple"
        assert len(await walk.call("POST", every, 201, files=[("files", TEXT), ("files", TEXT)])) == 2
        partly = await walk.call("POST", every, 207, files=[("files", TEXT), ("files", PROGRAM)])
        assert [len(partly["data"]), partly["errors"][0]["filename"]] == [1, "setup.exe"]
        await walk.call("POST", every, 400, files=[("files", PROGRAM)])
        await walk.call("POST", every, 400, files=[("files", TEXT)] * 6)
        await walk.call("POST", every, 415, **NO_FORM)
        filters = {"idea_id": idea, "is_public": "true", "min_size": "1", "order_by": "size", "limit": "5"}
        assert (await walk.call("GET", root, 200, params=filters))["count"] == 1
        await walk.call("GET", root, 400, params={"order_direction": "sideways"})
        assert await walk.call("GET", f"{one}/download", 200) == NOTES
        await walk.call("GET", one, 200)
        changed = await walk.call("PUT", one, 200, json={"description": "Second"}, headers=USER)
        assert changed["data"]["description"] == "Second"
        await walk.call("PUT", one, 400, json={"description": "x" * 501})
        await walk.call("PUT", one, 413, json={"description": "x" * 1_100_000})
        await walk.call("PUT", one, 415, content=b"<xml/>", headers={"content-type": "text/xml"})
        assert len(await walk.call("GET", f"{root}/idea/{idea}", 200)) == 1
        assert len(await walk.call("GET", f"{root}/system/{system}", 200)) == 1
        assert len(await walk.call("GET", f"{root}/search", 200, params={"q": "notes"})) == 4
        await walk.call("GET", f"{root}/search", 400, params={"q": "n"})
        statistics = await walk.call("GET", f"{root}/statistics", 200)
        assert statistics["byMimeType"] == {"text/markdown": 4}
        information = await walk.call("GET", f"{root}/upload-info", 200)
        assert (information["max_file_size"], information["max_files_per_request"]) == (100_000, 5)
        assert len(information["allowed_extensions"]) >= 23
        await walk.call("DELETE", one, 200, headers=USER)
        for method, path in (("GET", one), ("PUT", one), ("DELETE", one), ("GET", f"{one}/download")):
            await walk.call(method, path, 404, **({"json": {}} if method == "PUT" else {}))
        walk.finish()


async def test_search_and_specifications(
    start_journey: StartJourney, running_app: RunningApp, tmp_path: Path
) -> None:
    (tmp_path / "guides").mkdir()
    (tmp_path / "guides" / "setup.md").write_text("# Instalação\n\nComo começar.\n", encoding="utf-8")
    async with running_app(docs_dir=tmp_path) as client:
        walk = start_journey("search", client)
        wanted: dict[str, Any] = {"q": "instalacao", "type": "guide", "source": "markdown", "limit": "3"}
        await client.post("/api/v1/search/reindex")

        async def found() -> list[dict[str, Any]]:
            answer = await walk.call("GET", "/api/v1/search", 200, params=wanted)
            results: list[dict[str, Any]] = answer["data"]
            return results

        [result] = await wait_for(found)
        assert (result["title"], "<mark>" in result["snippet"]) == ("Instalação", True)
        operations = await walk.call("GET", "/api/v1/search", 200, params={"q": "kanban", "type": "endpoint"})
        assert operations["data"][0]["source"] == "openapi"
        for source in searching.SOURCE["enum"]:
            await walk.call("GET", "/api/v1/search", 200, params={"q": "kanban", "source": source})
        await walk.call("GET", "/api/v1/search", 400)
        suggested = await walk.call("GET", "/api/v1/suggest", 200, params={"q": "inst"})
        assert suggested["data"] == ["Instalação"]
        await walk.call("GET", "/api/v1/suggest", 400, params={"q": "x", "limit": "none"})
        status = await walk.call("GET", "/api/v1/docs/status", 200)
        assert {(each["type"], each["status"]) for each in status["specs"]} == {
            ("openapi", "valid"),
            ("asyncapi", "valid"),
        }
        openapi = await walk.call("GET", "/spec/openapi.yaml", 200)
        assert yaml.safe_load(openapi)["paths"].keys() == walk.document["paths"].keys()
        asyncapi = await walk.call("GET", "/spec/asyncapi.yaml", 200)
        assert yaml.safe_load(asyncapi)["asyncapi"].startswith("3.")
        archive = await walk.call("GET", "/api/v1/docs/download", 200)
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            contents = {opened.read(name) for name in opened.namelist()}
        assert {openapi, asyncapi} <= contents
        walk.finish()


async def test_figures(start_journey: StartJourney, client: httpx.AsyncClient) -> None:
    walk = start_journey("stats")
    root = "/api/v1/stats"
    await made(client, "systems", name="Launcher", status="online")
    await made(client, "systems", name="Broken", status="offline")
    idea = await made(client, "ideas", title="Map", category="docs", priority="low")
    await client.put(f"/api/v1/ideas/{idea}", json={"status": "completed"})
    uploaded = await client.post("/api/v1/files/upload", files={"file": TEXT})
    assert uploaded.status_code == 201
    for timeframe, days in (("7d", 7), ("30d", 30), ("90d", 90), ("1y", 365)):
        await walk.call("GET", f"{root}/dashboard", 200, params={"timeframe": timeframe})
        series = await walk.call("GET", f"{root}/analytics", 200, params={"timeframe": timeframe})
        for name, count in (("systems", 2), ("ideas", 1), ("files", 1)):
            assert len(series[name]) == days
            today = {"date": datetime.now(UTC).date().isoformat(), "count": count}
            assert today in series[name]
    dashboard = await walk.call("GET", f"{root}/dashboard", 200)
    assert (dashboard["systems"]["total"], dashboard["systems"]["online"]) == (2, 1)
    assert (dashboard["ideas"]["active"], dashboard["ideas"]["completed"]) == (0, 1)
    assert dashboard["files"]["totalSize"] == len(NOTES)
    await walk.call("GET", f"{root}/dashboard", 400, params={"timeframe": "1w"})
    await walk.call("GET", f"{root}/analytics", 400, params={"timeframe": "1w"})
    assert (await walk.call("GET", f"{root}/systems", 200))["byStatus"]["offline"] == 1
    assert (await walk.call("GET", f"{root}/ideas", 200))["byCategory"]["docs"] == 1
    assert (await walk.call("GET", f"{root}/files", 200))["byMimeType"] == {"text/markdown": 1}
    assert (await walk.call("GET", f"{root}/health", 200))["systems"]["total"] == 2
    found = await walk.call("GET", f"{root}/search", 200, params={"q": "launcher", "ideas": "false"})
    assert (len(found["systems"]), found["ideas"]) == (2, [])
    await walk.call("GET", f"{root}/search", 400)
    activity = await walk.call("GET", f"{root}/activity", 200, params={"days": "1"})
    assert [each["type"] for each in activity["activities"]] == [
        "file_uploaded",
        "idea_updated",
        "idea_created",
        "system_created",
        "system_created",
    ]
    assert [each["user"] for each in activity["activities"]] == [
        "anonymous",
        "anonymous",
        "ada",
        "ada",
        "ada",
    ]
    await walk.call("GET", f"{root}/activity", 400, params={"days": "91"})
    walk.finish()
