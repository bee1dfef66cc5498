"""Routes of taking over: a dry run, an import and a comparison of a file, how it went, and the way back."""

from typing import Any, Final

import orjson
from starlette.responses import Response

from core.http.request.body import allow_body
from core.http.request.multipart import FormReader, Part
from features.console.errors import Refused
from features.console.router.messages import ROOT, text
from features.console.router.pages import router
from features.console.router.visit import ANY_SIZE, Visit, Visited
from features.console.schemas import Fault
from features.console.service.api_client import place
from features.console.service.forms import passed_on

PREFIX: Final = f"{ROOT}/takeover"
LISTS: Final = ("items", "ideas", "systems")
"""Lists that spreadsheets go into."""
PHASES: Final = ("preflight", "load", "verify", "report")
SHOWN_REJECTS: Final = 200


@router.get("/takeover")
async def takeover(visit: Visited) -> Response:
    return await _page(visit)


@router.post("/takeover")
async def begin_import(visit: Visited) -> Response:
    """The file streams through; its form has come by then, as it stands before the file."""
    allow_body(visit.request, ANY_SIZE)
    reader = FormReader(visit.request.headers.get("content-type", ""), visit.request.stream())
    fields: dict[str, str] = {}
    async for part in reader.parts():
        if part.filename is None:
            fields[part.name] = await part.text()
            continue
        visit.check_form(fields.pop("csrf", None), fields)
        if not await part.is_unchosen():
            return await _begun(visit, fields, part)
        break
    return await _page(visit, fault=Fault(400, text("takeover", "no_file")))


@router.get("/takeover/{job_id}")
async def show_import(visit: Visited, job_id: str) -> Response:
    return await _shown(visit, job_id)


@router.post("/takeover/{job_id}/undo")
async def undo_import(visit: Visited, job_id: str, dry_run: str = "false") -> Response:
    form = await visit.form()
    query = {"keepChanged": form.get("keep_changed"), "dryRun": dry_run}
    accepted = await visit.api.send("POST", place("/api/v1/imports", job_id, "undo"), **query)
    return visit.go(f"{PREFIX}/{accepted.data['data']['id']}")


@router.post("/export")
async def begin_export(visit: Visited) -> Response:
    form = await visit.form()
    accepted = await visit.api.send("POST", "/api/v1/exports", form=form.get("form"), list=form.get("list"))
    return visit.go(f"{PREFIX}/{accepted.data['data']['id']}")


async def _begun(visit: Visit, fields: dict[str, str], file: Part) -> Response:
    what, query = fields.pop("what", "") or "lowdb", visit.request.query_params
    if query.get("verify") == "true":
        path, options = "/api/v1/imports/verify", {"source": "csv" if what in LISTS else what}
    else:
        sheet = {"source": "csv", "into": what} if what in LISTS else {"source": what, "map": ""}
        dry_run = "false" if query.get("dry_run") == "false" else "true"
        path, options = "/api/v1/imports", {**fields, **sheet, "dry_run": dry_run}
    content_type, body = passed_on(options, file.name, file.filename or "", file)
    try:
        accepted = await visit.api.upload(path, content_type, body)
    except Refused as refused:
        if visit.by_script:
            raise
        return await _page(visit, fault=refused.fault)
    job_id = accepted.data["data"]["id"]
    return await _shown(visit, job_id) if visit.by_script else visit.go(f"{PREFIX}/{job_id}")


async def _page(visit: Visit, *, fault: Fault | None = None) -> Response:
    cursor = visit.request.query_params.get("cursor")
    imports = await visit.api.get("/api/v1/imports", limit=20, cursor=cursor)
    status = 200 if fault is None else fault.status
    more = imports.data.get("nextCursor")
    return visit.page("takeover.html", status, imports=imports.rows, more=more, fault=fault)


async def _shown(visit: Visit, job_id: str) -> Response:
    job = (await visit.api.get(place("/api/v1/jobs", job_id))).data["data"]
    template = "parts/run.html" if visit.by_script else "run.html"
    imported = await _import_of(visit, job)
    own = imported is not None and imported["id"] == job_id
    rejects = await _rejects(visit, job) if own and _ended(job) else []
    return visit.page(template, job=job, phases=PHASES, imported=imported, rejects=rejects)


def _ended(job: dict[str, Any]) -> bool:
    return job["state"] not in ("queued", "running")


async def _import_of(visit: Visit, job: dict[str, Any]) -> dict[str, Any] | None:
    """The import that the job is, or that it takes back."""
    if not job["kind"].startswith("import.") or job["kind"] == "import.verify":
        return None
    job_id = job["arguments"]["importJobId"] if job["kind"] == "import.undo" else job["id"]
    found: dict[str, Any] = (await visit.api.get(place("/api/v1/imports", job_id))).data["data"]
    return found


async def _rejects(visit: Visit, job: dict[str, Any]) -> list[dict[str, Any]]:
    """The first records that could not be taken over; of very many only those that the job itself names."""
    if job.get("dryRun") or not 0 < job["rejected"] <= SHOWN_REJECTS:
        named: list[dict[str, Any]] = job.get("result", {}).get("rejects", [])
        return named
    answer = await visit.api.get(f"/api/v1/imports/{job['id']}/rejects")
    return [_without_record(line) for line in answer.body.split(b"\n") if line]


def _without_record(line: bytes) -> dict[str, Any]:
    """Where and why; not the record, which is as it came: it may have what no parser takes."""
    told: dict[str, Any] = orjson.loads(line.partition(b',"record":')[0] + b"}")
    return told
