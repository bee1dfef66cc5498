"""Uploads: first the objects, then their rows in one transaction; if that fails the objects are removed."""

from collections.abc import AsyncIterable
from dataclasses import dataclass
from uuid import uuid4

import structlog
from pydantic import ValidationError

from core.database.client import Database
from core.database.transaction import unit_of_work
from core.errors import FieldError, InvalidFields
from core.http.request.validation import field_errors
from features.files.changes.listeners import WriteContext, check_links, tell
from features.files.changes.receive import Form, Refused, incoming, receive
from features.files.errors import UploadInvalid
from features.files.queries import rows
from features.files.schemas import FileMetadata, UploadFields
from features.files.settings import FileSettings
from features.files.storage.objects import Objects

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Stored files, refused files, and ids of the jobs to run after the commit."""

    files: list[FileMetadata]
    refused: list[Refused]
    job_ids: list[str]


async def upload(
    context: WriteContext, content_type: str, body: AsyncIterable[bytes], *, field_name: str, most_files: int
) -> Outcome:
    """Store the files of a form. Raises the error of a single refused file; of several, UploadInvalid when
    none is left. No transaction is open while bytes come in.
    """
    objects = Objects(context.settings)
    limit = int(context.settings.of(FileSettings).files_max_bytes)
    async with incoming(objects) as form:
        await receive(
            form, objects, content_type, body, field_name=field_name, most_files=most_files, limit=limit
        )
        fields = _fields(form)
        if most_files == 1 and form.refused:
            raise form.refused[0].error
        if not form.received:
            details = [FieldError(each.original_name, each.error.message) for each in form.refused]
            raise UploadInvalid("No file could be uploaded", details)
        return await _write(context, form, fields)


async def _write(context: WriteContext, form: Form, fields: UploadFields) -> Outcome:
    form.raise_if_late()

    async def write(tx: Database) -> Outcome:
        form.committing = False
        written = Outcome([], form.refused, [])
        await check_links(tx, idea_id=fields.idea_id, system_id=fields.system_id)
        for received in form.received:
            created = await rows.create_file(tx, str(uuid4()), received, fields, context.actor.owner)
            written.job_ids.extend(await tell(tx, context, "created", created))
            written.files.append(created.file)
        form.committing = True
        return written

    outcome = await unit_of_work(context.db, write)
    log.info("files.uploaded", files=len(outcome.files), bytes=sum(file.size for file in outcome.files))
    return outcome


def _fields(form: Form) -> UploadFields:
    try:
        return UploadFields.model_validate({name: text for name, text in form.fields.items() if text})
    except ValidationError as error:
        details = field_errors(error.errors(include_url=False))
        raise InvalidFields(details) from None
