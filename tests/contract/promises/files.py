"""Uploaded files."""

from typing import Final

from tests.contract.notation import (
    ACTOR,
    BYTES,
    DONE,
    ERROR,
    FLAG,
    FORM,
    INSTANT,
    TEXT,
    TIME,
    WHOLE,
    Bytes,
    Promise,
    asked,
    bounded,
    counts,
    enveloped,
    exactly,
    in_path,
    listing,
    many,
    may_ask,
    one_of,
    record,
)

FILE: Final = record(
    {
        "id": TEXT,
        "filename": TEXT,
        "mimetype": TEXT,
        "size": WHOLE,
        "createdAt": TIME,
        "uploadedBy": TEXT,
        "originalName": TEXT,
        "isPublic": FLAG,
        "downloadCount": WHOLE,
        "checksum": TEXT,
    },
    {"ideaId": TEXT, "systemId": TEXT, "description": TEXT},
)
LINK: Final = bounded(TEXT, maxLength=128)
LINKED: Final = bounded(LINK, minLength=1)
NOTE: Final = bounded(TEXT, maxLength=500)
SIZE: Final = bounded(WHOLE, minimum=0)
FILTERS: Final = (
    may_ask("system_id", LINK),
    may_ask("idea_id", LINK),
    may_ask("uploaded_by", bounded(TEXT, maxLength=128)),
    may_ask("mime_type", bounded(TEXT, maxLength=200)),
    may_ask("search", bounded(TEXT, maxLength=200)),
    may_ask("is_public", FLAG),
    may_ask("min_size", SIZE),
    may_ask("max_size", SIZE),
    may_ask("created_from", INSTANT),
    may_ask("created_to", INSTANT),
    may_ask("limit", bounded(WHOLE, minimum=1, maximum=100), 50),
    may_ask("offset", bounded(WHOLE, minimum=0, maximum=2**31 - 1), 0),
    may_ask("order_by", one_of("created_at", "size", "filename", "mime_type"), "created_at"),
    may_ask("order_direction", one_of("ASC", "DESC"), "DESC"),
)
METADATA: Final = {"idea_id": LINK, "system_id": LINK, "description": NOTE, "is_public": FLAG}
UPDATE: Final = record({}, {**METADATA, "idea_id": LINKED, "system_id": LINKED})
ONE_UPLOAD: Final = record({"file": BYTES}, METADATA)
MANY_UPLOADS: Final = record(
    {"files": many(BYTES, maxItems=5)}, {**METADATA, "is_public": {**FLAG, "default": False}}
)
PARTLY: Final = record(
    {
        "success": exactly(True),
        "data": many(FILE),
        "errors": many(record({"filename": TEXT, "error": TEXT})),
    }
)
STATISTICS: Final = record({"total": WHOLE, "totalSize": WHOLE, "byMimeType": counts()})
UPLOAD_INFO: Final = record(
    {"max_file_size": WHOLE, "allowed_extensions": many(TEXT), "max_files_per_request": WHOLE}
)
ONE: Final = enveloped(FILE)
BARE: Final = many(FILE)
ID: Final = (in_path("fileId"),)
REFUSED: Final = {400: ERROR, 413: ERROR, 415: ERROR}
ROOT: Final = "/api/v1/files"

PROMISES: Final = (
    Promise("get", ROOT, {200: listing(FILE), 400: ERROR}, FILTERS),
    Promise("post", f"{ROOT}/upload", {201: ONE, **REFUSED}, body=ONE_UPLOAD, media_type=FORM),
    Promise(
        "post",
        f"{ROOT}/upload-multiple",
        {201: BARE, 207: PARTLY, 400: ERROR, 415: ERROR},
        body=MANY_UPLOADS,
        media_type=FORM,
    ),
    Promise(
        "get",
        f"{ROOT}/{{fileId}}/download",
        {200: Bytes("application/octet-stream", any_type=True), 404: ERROR},
        ID,
    ),
    Promise("get", f"{ROOT}/{{fileId}}", {200: ONE, 404: ERROR}, ID),
    Promise("put", f"{ROOT}/{{fileId}}", {200: ONE, **REFUSED, 404: ERROR}, (*ID, ACTOR), UPDATE),
    Promise("delete", f"{ROOT}/{{fileId}}", {200: DONE, 404: ERROR}, (*ID, ACTOR)),
    Promise("get", f"{ROOT}/idea/{{ideaId}}", {200: BARE}, (in_path("ideaId", LINK),)),
    Promise("get", f"{ROOT}/system/{{systemId}}", {200: BARE}, (in_path("systemId", LINK),)),
    Promise(
        "get",
        f"{ROOT}/search",
        {200: BARE, 400: ERROR},
        (asked("q", bounded(TEXT, minLength=2, maxLength=200)),),
    ),
    Promise("get", f"{ROOT}/statistics", {200: STATISTICS}),
    Promise("get", f"{ROOT}/upload-info", {200: UPLOAD_INFO}),
)
