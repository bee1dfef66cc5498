"""Routes of files: list, upload, and a file's own page with a look into it."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from core.http.request.body import allow_body
from core.http.request.multipart import FormReader, MalformedForm
from features.console.errors import Refused
from features.console.router import systems
from features.console.router.history import history
from features.console.router.messages import text, toast
from features.console.router.pages import router
from features.console.router.visit import ANY_SIZE, Visit, Visited, inside
from features.console.schemas import Fault
from features.console.service.forms import passed_on
from features.console.service.records import FILE, IDEA, UPLOADS

PAGE: Final = 50
FILTERS: Final = ("search", "mime_type", "is_public", "system_id", "idea_id", "uploaded_by")
IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""Media types shown as images: formats that hold nothing but one."""
TEXTS: Final = ("text/", "application/json", "application/yaml", "application/xml", "image/svg+xml")
LOOK: Final = 65_536
"""Bytes of a text that are shown."""


@router.get("/files")
async def list_files(visit: Visited) -> Response:
    given = visit.request.query_params
    wanted = {name: given.get(name, "") for name in (*FILTERS, "cursor")}
    listed, counts = await asyncio.gather(
        visit.api.get(FILE.api, limit=PAGE, **wanted), visit.api.get(f"{FILE.api}/statistics")
    )
    if visit.by_script and not given.get("whole"):
        return visit.page("parts/file_rows.html", **_rows(listed.data, wanted))
    info, choices = await asyncio.gather(visit.api.get(UPLOADS), systems.choices(visit, wanted["system_id"]))
    return visit.page(
        "files.html", counts=counts.data, info=info.data, systems=choices, **_rows(listed.data, wanted)
    )


@router.post("/files")
async def upload(visit: Visited) -> Response:
    """Each file streams through to the API, one after the other; the other fields stand before them. A script
    hears which ones were refused, and keeps them chosen.
    """
    allow_body(visit.request, ANY_SIZE)
    reader = FormReader(visit.request.headers.get("content-type", ""), visit.request.stream())
    fields: dict[str, str] = {}
    stored, refused = 0, list[tuple[str, str]]()
    back: str | None = None
    async for part in reader.parts():
        if part.filename is None:
            fields[part.name] = await part.text()
            continue
        if back is None:
            visit.check_form(fields.pop("csrf", None), fields)
            back = fields.pop("next", FILE.pages)
        if await part.is_unchosen():
            continue
        content_type, body = passed_on(fields, "file", part.filename, part)
        try:
            await visit.api.upload(f"{FILE.api}/upload", content_type, body)
            stored += 1
        except Refused as error:
            refused.append((part.filename, _reason(error.fault)))
    if back is None or not stored + len(refused):
        raise MalformedForm(text("files", "none_chosen"))
    told = [text("files", "stored").format(stored)] if stored else []
    message = "; ".join([*told, *(f"{name}: {reason}" for name, reason in refused)])
    if not (refused and visit.by_script):
        return visit.go(inside(back, FILE.pages), message, "bad" if refused else "good")
    response = visit.page("parts/refused_files.html", refused=refused)
    # Which ones, and why, is told beside the form.
    told.append(text("files", "not_stored").format(len(refused)))
    response.headers.update(toast(". ".join(told), "bad"))
    return response


@router.get("/files/{file_id}")
async def show_file(visit: Visited, file_id: str) -> Response:
    return await one_page(visit, file_id)


async def one_page(
    visit: Visit, file_id: str, *, form: Mapping[str, str] | None = None, fault: Fault | None = None
) -> Response:
    file = FILE.row(await visit.api.get(FILE.place(file_id)))
    idea, look, choices, entries = await asyncio.gather(
        _title_of(visit, file.get("ideaId")),
        _look(visit, file),
        systems.choices(visit, file.get("systemId")),
        history(visit, FILE, file_id),
    )
    return visit.page(
        "file.html",
        200 if fault is None else fault.status,
        record=FILE,
        row=file,
        texts={**FILE.shown(file), **(form or {})},
        fault=fault,
        systems=choices,
        idea=idea,
        look=look,
        is_image=file["mimetype"] in IMAGES,
        **entries,
    )


async def _title_of(visit: Visit, idea_id: str | None) -> str | None:
    if not idea_id:
        return None
    answer = await visit.api.call("GET", IDEA.place(idea_id))
    return str(answer.data["data"]["title"]) if answer.status == 200 else idea_id


async def _look(visit: Visit, file: Mapping[str, Any]) -> str | None:
    """The beginning of a text; None for what is none."""
    if not file["mimetype"].startswith(TEXTS) or not file["size"]:
        return None
    answer = await visit.api.call(
        "GET", f"{FILE.place(file['id'])}/download", headers={"range": f"bytes=0-{LOOK - 1}"}
    )
    return answer.body.decode(errors="replace") if answer.status in (200, 206) else None


def _rows(listed: Mapping[str, Any], wanted: Mapping[str, str]) -> dict[str, Any]:
    return {
        "files": listed["data"],
        "total": listed.get("total"),
        "more": listed.get("nextCursor"),
        "wanted": wanted,
    }


def _reason(fault: Fault) -> str:
    return "; ".join(each["message"] for each in fault.fields) or fault.message
