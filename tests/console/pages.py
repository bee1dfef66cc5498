"""Every page of the console, over rows of every kind."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.console.router import router
from features.console.service.records import RECORDS
from tests.console.test_records import VALUES, make
from tests.console.test_takeover import LIBRARY
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    import httpx

HOOK = {"url": "http://127.0.0.1:1/hook", "entity": "item"}
RECORD = ("title", "name", "description", "status", "priority", "category", "systemId", "metadata")
QUERIES = {
    "": (),
    "/activity": ("entity", "entity_id", "action", "actor", "since", "until", "cursor", "history"),
    "/files": ("search", "mime_type", "is_public", "system_id", "idea_id", "uploaded_by", "cursor"),
    "/files/{file_id}": (),
    "/ideas": ("search", "system_id", "priority", "category", "column", "cursor"),
    "/ideas/{idea_id}": (),
    "/items": ("q", "status", "category", "priority", "tag", "cursor"),
    "/items/item": ("id",),
    "/jobs": ("state", "cursor"),
    "/jobs/{job_id}": (),
    "/keys": ("cursor",),
    "/new/{entity}": (*RECORD, "once"),
    "/sign-in": ("next",),
    "/systems": ("search", "status", "type", "tag", "cursor"),
    "/systems/{system_id}": (),
    "/takeover": ("cursor",),
    "/takeover/{job_id}": (),
    "/webhooks": ("cursor",),
    "/webhooks/{webhook_id}": ("state", "cursor"),
}
"""What each page reads of its query."""
NO_PAGES = frozenset({"/figures", "/api/{path:text}", "/static/{release}/{name:path}", "/{path:text}"})


def routes() -> set[str]:
    """Paths of all pages that can be asked for."""
    found = {str(route.path).removeprefix("/console") for route in router.routes if "GET" in route.methods}  # type: ignore[attr-defined]
    return found - NO_PAGES


@dataclass(frozen=True, slots=True)
class Rows:
    """Ids of a row of each kind, and of an import that has ended."""

    ids: dict[str, str]

    def page(self, path: str) -> list[str]:
        """Paths of the pages of a route over these rows."""
        if path == "/new/{entity}":
            return [f"/console/new/{entity}" for entity in ("idea", "item", "system")]
        if path == "/items/item":
            return [f"/console/items/item?id={self.ids['item']}"]
        for entity, row_id in self.ids.items():
            path = path.replace(f"{{{entity}_id}}", row_id)
        return [f"/console{path}"]

    @property
    def pages(self) -> list[str]:
        return [page for path in sorted(routes()) for page in self.page(path)]


async def make_rows(program: "httpx.AsyncClient") -> Rows:
    """Rows of each kind; `program` may do everything, through the API."""
    ids = {entity: (await make(program, RECORDS[entity]))["id"] for entity in (*VALUES, "file")}
    await program.put(f"/api/v1/files/{ids['file']}", json={"isPublic": True})
    ids["webhook"] = (await program.post("/api/v1/webhooks", json=HOOK)).json()["data"]["id"]
    form = {"source": "lowdb", "dry_run": "false"}
    begun = await program.post("/api/v1/imports", data=form, files={"file": ("library.json", LIBRARY)})
    ids["job"] = begun.json()["data"]["id"]

    async def ended() -> bool:
        state = (await program.get(f"/api/v1/jobs/{ids['job']}")).json()["data"]["state"]
        return bool(state == "succeeded")

    await wait_for(ended, message="the import did not end")
    return Rows(ids)
