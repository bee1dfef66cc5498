"""AsyncAPI document: streams of changes and of a job's events, made from the types of what is sent."""

from typing import Final, get_args

from pydantic import JsonValue

from core.http.answers.event_streams import Dropped
from core.jobs import JsonObject
from core.jobs.views import EventKind
from features.changes import api as changes
from features.jobs.api import STREAM, Job

VERSION: Final = "3.0.0"
CHANNEL: Final = "jobEvents"
CHANGES: Final = "changes"
_DROPPED: Final = "dropped"
_SCHEMA: Final = "#/components/schemas/{model}"
_KINDS: Final[dict[EventKind, str]] = {
    "state": "The job was queued, began, was handed back or ended",
    "phase": "The job entered another phase of its work",
    "progress": "The job's figures moved on; at most five of these in a second",
    "cancel": "Somebody asked for the job to be cancelled",
}
_DESCRIPTION: Final = """\
Changes are told as they are committed, in the order of their positions, which are the ids of the events: a
client that reconnects with `Last-Event-ID` gets everything that it missed, for as long as that is kept (410
after that). A block with an id alone, the first one of each stream, says up to where all is told.

Background work tells how far it is by server-sent events: numbered from 1 without gaps, each with the whole
job as it was then. A client that reconnects with `Last-Event-ID` gets everything that it missed; the stream
ends with the job.

A client that is too slow gets `dropped` as its last event, with the id to go on after.
"""
_CHANGE_MESSAGES: Final[JsonObject] = {
    "change": {
        "name": "change",
        "title": "A change",
        "summary": "A row was created, updated or deleted, or a batch of rows imported",
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "properties": {
                "id": {"type": "string", "pattern": "^[0-9]+$", "description": "The position"},
                "event": {"type": "string", "const": "change"},
                "retry": {"type": "integer", "description": "Milliseconds before a client reconnects"},
            },
            "required": ["id", "event"],
        },
        "payload": {"$ref": _SCHEMA.format(model="Change")},
    },
    _DROPPED: {
        "name": _DROPPED,
        "title": "The client is too slow",
        "summary": "The stream ends here; go on after the position",
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "properties": {"event": {"type": "string", "const": _DROPPED}},
            "required": ["event"],
        },
        "payload": {"$ref": _SCHEMA.format(model="Dropped")},
    },
}
_HEADERS: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[1-9][0-9]*$", "description": "The number of the event"},
        "event": {"type": "string", "enum": list(get_args(EventKind))},
        "retry": {"type": "integer", "description": "Milliseconds before a client reconnects"},
    },
    "required": ["id", "event"],
}


def describe(openapi: JsonObject) -> JsonObject:
    """AsyncAPI document; `openapi` is the app's, from which name and version are taken."""
    about = openapi["info"]
    assert isinstance(about, dict)
    kinds: tuple[EventKind, ...] = get_args(EventKind)
    return {
        "asyncapi": VERSION,
        "info": {
            "title": f"{about['title']} events",
            "version": about["version"],
            "description": _DESCRIPTION,
        },
        "defaultContentType": "application/json",
        "channels": {
            CHANGES: {
                "address": changes.STREAM,
                "title": "Changes",
                "description": "A stream of `text/event-stream`; filters are query parameters.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _CHANGE_MESSAGES},
            },
            CHANNEL: {
                "address": STREAM,
                "title": "Events of one job",
                "description": "A stream of `text/event-stream` for one job.",
                "parameters": {"job_id": {"description": "The id that the 202 answer's Location named"}},
                "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in (*kinds, _DROPPED)},
            },
        },
        "operations": {
            "followChanges": {
                "action": "send",
                "title": "Follow changes",
                "summary": "The service sends each change to whoever follows and may see it",
                "channel": {"$ref": f"#/channels/{CHANGES}"},
                "bindings": {"http": {"method": "GET", "bindingVersion": "0.3.0"}},
                "messages": [{"$ref": f"#/channels/{CHANGES}/messages/{name}"} for name in _CHANGE_MESSAGES],
            },
            "followJob": {
                "action": "send",
                "title": "Follow a job",
                "summary": "The service sends each event of the job to whoever follows it",
                "channel": {"$ref": f"#/channels/{CHANNEL}"},
                "bindings": {"http": {"method": "GET", "bindingVersion": "0.3.0"}},
                "messages": [
                    {"$ref": f"#/channels/{CHANNEL}/messages/{kind}"} for kind in (*kinds, _DROPPED)
                ],
            },
        },
        "components": {
            "messages": {**_CHANGE_MESSAGES, **{kind: _message(kind) for kind in kinds}},
            "schemas": _schemas(),
        },
    }


def _message(kind: EventKind) -> JsonValue:
    return {
        "name": kind,
        "title": f"Job {kind}",
        "summary": _KINDS[kind],
        "contentType": "application/json",
        "headers": _HEADERS,
        "payload": {"$ref": _SCHEMA.format(model="Job")},
    }


def _schemas() -> JsonValue:
    job: JsonObject = Job.model_json_schema(mode="serialization", ref_template=_SCHEMA)
    nested = job.pop("$defs", {})
    assert isinstance(nested, dict)
    told = {each.__name__: each.model_json_schema(mode="serialization") for each in (changes.Change, Dropped)}
    return {"Job": job, **nested, **told}
