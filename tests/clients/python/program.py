"""A stranger's program on the generated client: every answer that is used is checked by its type."""

import io
import json
import sys
import time
from typing import TypeVar

from handover_client import Client
from handover_client.api.files import download_file, upload_file
from handover_client.api.imports import create_import, download_rejects
from handover_client.api.items import create_item, delete_item, list_items, update_item
from handover_client.api.jobs import show_job
from handover_client.models import (
    CreateImportBody,
    CreateItem,
    ErrorBody,
    ImportSource,
    ItemCategory,
    ItemStatus,
    Job,
    JobState,
    Priority,
    UpdateItem,
    UploadFileBody,
)
from handover_client.models.reject_line import RejectLine
from handover_client.types import File

RECORD: dict[str, object] = {
    "id": "from-python",
    "title": "Imported",
    "description": "It was in a file",
    "category": "dashboard",
    "priority": "low",
    "status": "new",
    "tags": [],
    "createdAt": "2025-10-23T22:46:19.745Z",
    "updatedAt": None,
}
ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
T = TypeVar("T")


def given(answer: T | ErrorBody | None) -> T:
    assert answer is not None
    assert not isinstance(answer, ErrorBody), answer.message
    return answer


def follow(client: Client, job: Job) -> Job:
    while job.state not in ENDED:
        time.sleep(0.05)
        job = given(show_job.sync(job.id, client=client)).data
    return job


def run(client: Client) -> None:
    before = given(list_items.sync(client=client, limit=1)).total
    values = CreateItem("Typed", "Made by a program", ItemCategory.DASHBOARD, Priority.HIGH, ["typed"])
    made = create_item.sync_detailed(client=client, body=values)
    item, etag = given(made.parsed).data, made.headers["etag"]
    assert (item.status, item.updated_at) == (ItemStatus.NEW, None)

    status = UpdateItem(status=ItemStatus.IN_PROGRESS)
    moved = given(update_item.sync(item.id, client=client, body=status, if_match=etag))
    assert moved.data.status == ItemStatus.IN_PROGRESS
    stale = update_item.sync_detailed(item.id, client=client, body=status, if_match=etag)
    assert stale.status_code == 412
    assert isinstance(stale.parsed, ErrorBody)
    assert stale.parsed.message
    assert given(delete_item.sync(item.id, client=client)).data.id == item.id

    notes = UploadFileBody(File(io.BytesIO(b"Some notes"), "notes.txt", "text/plain"), description="Draft")
    file = given(upload_file.sync(client=client, body=notes)).data
    content = download_file.sync(file.id, client=client)
    assert isinstance(content, File)
    assert content.payload.read() == b"Some notes"

    source = io.BytesIO(json.dumps({"items": [RECORD, {"id": "broken"}]}).encode())
    library = CreateImportBody(File(source, "library.json"), ImportSource.LOWDB)
    job = follow(client, given(create_import.sync(client=client, body=library)).data)
    assert (job.state, job.rejected) == (JobState.SUCCEEDED, 1), job.error
    rejects = given(download_rejects.sync(job.id, client=client))
    reject = RejectLine.from_dict(json.loads(rejects.payload.readline()))
    assert reject.position == 1

    after = given(list_items.sync(client=client)).total
    assert isinstance(before, int)
    assert after == before + 1


if __name__ == "__main__":
    run(Client(base_url=sys.argv[1]))
