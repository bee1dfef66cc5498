"""Bulk writes: creations, updates and deletions of up to 1,000 rows of a table in one transaction, all of
them or none.

Rows are locked in the order of their ids, so two requests for the same rows wait for each other, whatever the
order of their operations. A row takes one operation of a request: so their order does not matter, and all of
a kind are one statement, for which the table's triggers count versions and write audit entries.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Final, Generic, Literal, Self, TypeVar

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from core.database.client import Database
from core.database.statements import hold_rows, update_rows
from core.errors import FieldError, HandoverError, InvalidFields, NotFound
from core.http.answers.conditional import Precondition, entity_tags, fault_of_tags
from core.http.answers.envelope import Row, list_ends
from core.http.answers.projection import projected_rows
from core.http.request.fields import Text
from core.http.request.input import Input, Update
from core.http.request.validation import MAX_DETAILS, field_errors

MOST: Final = 1000
"""Upper bound of the operations of one request."""
_MOST_FAULTS: Final = 15_000
"""Number of faults after which no further operations are looked at."""

ABOUT: Final = (
    f"Up to {MOST:,} creations, updates and deletions in one transaction: all of them are done, each with "
    "its audit entry, or none, and the error names each one that fails. A row takes one operation. The "
    "results are in the order of the operations. The body is as long as any other may be (`MAX_BODY_BYTES`)."
)

New = TypeVar("New", bound=Input)
Changes = TypeVar("Changes", bound=Update)
Shown = TypeVar("Shown", bound=BaseModel)


class _Operation(Input):
    # A field of another kind of operation, such as the id of a creation, is no oversight to pass over.
    model_config = ConfigDict(extra="forbid")


class CreateOperation(_Operation, Generic[New]):
    op: Literal["create"]
    data: New


def _tags(text: str) -> str:
    if (fault := fault_of_tags(text)) is not None:
        raise PydanticCustomError("etag", fault)
    return text


class _OfRow(_Operation):
    id: Text
    if_match: Annotated[Text, AfterValidator(_tags)] | None = Field(
        default=None,
        alias="ifMatch",
        description="Only if this is still the `ETag` of the row, as of `If-Match`",
    )


class UpdateOperation(_OfRow, Generic[Changes]):
    op: Literal["update"]
    data: Changes


class DeleteOperation(_OfRow):
    op: Literal["delete"]


class Operations(Input, Generic[New, Changes]):
    """Body of a bulk write. A request whose fields are wrong is refused with the fault of each operation."""

    operations: list[
        Annotated[
            CreateOperation[New] | UpdateOperation[Changes] | DeleteOperation, Field(discriminator="op")
        ]
    ] = Field(min_length=1, max_length=MOST, fail_fast=True)

    @property
    def rows(self) -> list[str]:
        """Ids of the rows that are changed or deleted."""
        return [each.id for each in self.operations if isinstance(each, _OfRow)]

    @model_validator(mode="wrap")
    @classmethod
    def _naming_each(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        given = data.get("operations") if isinstance(data, dict) else None
        if not isinstance(given, list) or not given:
            return handler(data)
        if len(given) > MOST:
            raise InvalidFields([FieldError("operations", f"must have at most {MOST} entries")])
        faults, start = list[Mapping[str, Any]](), 0
        while start < len(given) and len(faults) < _MOST_FAULTS:
            try:
                body = handler({"operations": given[start:]})
                break
            except ValidationError as error:
                # Those of one operation, the first that is wrong.
                found = error.errors(include_url=False)
                wrong = start + int(found[0]["loc"][1])
                faults += [{**fault, "loc": ("operations", wrong, *_place(fault))} for fault in found]
                start = wrong + 1
        if faults:
            raise InvalidFields(field_errors(_shortened(faults), most=MOST))
        seen: dict[str, int] = {}
        repeated = [
            FieldError(
                f"operations.{number}.id",
                f"is that of operations.{seen[each.id]} too; name each row once",
                each.id,
            )
            for number, each in enumerate(body.operations)
            if isinstance(each, _OfRow) and seen.setdefault(each.id, number) != number
        ]
        if repeated:
            raise InvalidFields(repeated)
        return body


def operations_example(new: dict[str, Any], changes: dict[str, Any]) -> ConfigDict:
    """Settings of a body's model, with an example in the OpenAPI document."""
    one = {"id": "17", "ifMatch": '"2-9f86d081884c7d65"'}
    operations: JsonValue = [
        {"op": "create", "data": new},
        {"op": "update", **one, "data": changes},
        {"op": "delete", "id": "18"},
    ]
    return ConfigDict(json_schema_extra={"example": {"operations": operations}})


def _place(fault: Mapping[str, Any]) -> Sequence[str | int]:
    """Path in the operation, without the name of its kind, which pydantic has in it."""
    return ("op",) if fault["type"].startswith("union_tag") else fault["loc"][3:]


def _shortened(faults: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The faults or, of more than MAX_DETAILS, the first one of each operation."""
    if len(faults) <= MAX_DETAILS:
        return faults
    return list({fault["loc"][1]: fault for fault in reversed(faults)}.values())[::-1]


class Outcome(BaseModel, Generic[Shown]):
    """Result of one operation. Of a deletion `data` is the row as it was."""

    status: int = Field(description="That of the single request: 201 for a creation, else 200")
    id: str
    etag: str = Field(description="The row's `ETag`, for `ifMatch` and `If-Match`")
    data: Shown


class BulkResponse(Response):
    """Response of the model `ListEnvelope[Outcome]`; no ETag describes it."""

    media_type = "application/json"


def _outcome(status: int, row_id: str, row: Row) -> bytes:
    """JSON of the model `Outcome`."""
    told = (status, orjson.dumps(row_id), orjson.dumps(row.etag), row.data)
    return b'{"status":%d,"id":%b,"etag":%b,"data":%b}' % told


@dataclass(frozen=True, slots=True)
class BulkTable:
    """Table of bulk writes: its rows are shown as `shown` and written through `actions(db)`, those of the
    typed client's model `model`. `version` is the column that counts a row's changes.
    """

    name: str
    model: str
    shown: type[BaseModel]
    actions: Callable[[Database], Any]
    not_found: Callable[[str], HandoverError]
    changed: Callable[[str], HandoverError]
    version: str = "row_version"
    include: dict[str, Any] | None = None

    async def write(
        self,
        tx: Database,
        wanted: Operations[New, Changes],
        create: Callable[[New], dict[str, Any]],
        update: Callable[[Changes], dict[str, Any]],
    ) -> bytes:
        """Write what `create` (columns of a new row, `id` among them) and `update` (those that change) make
        of the operations' data; both raise what a single write would. Where operations fail, the error is of
        the kind of the first one's. Returns the content of a BulkResponse.
        """
        operations = wanted.operations
        await hold_rows(tx, self.name, wanted.rows)
        before = await self._rows(tx, wanted.rows)
        new, changes, ids = list[dict[str, Any]](), dict[str, dict[str, Any]](), list[str]()
        failed: list[tuple[int, HandoverError]] = []
        for number, each in enumerate(operations):
            try:
                if isinstance(each, CreateOperation):
                    new.append(create(each.data))
                    ids.append(new[-1]["id"])
                    continue
                row = self._checked(each, before.get(each.id))
                if isinstance(each, UpdateOperation):
                    if each.data.held_back:
                        each.data.settle(orjson.loads(row.data))
                    changes[each.id] = update(each.data)
                ids.append(each.id)
            except HandoverError as error:
                failed.append((number, error))
        if failed:
            raise _refused(failed, len(operations))
        actions = self.actions(tx)
        if new:
            await actions.create_many(data=new)
        if changes:
            await update_rows(tx, self.model, self.name, changes)
        if gone := before.keys() - changes.keys():
            await actions.delete_many(where={"id": {"in": sorted(gone)}})
        after = before | await self._rows(tx, [*(row["id"] for row in new), *changes])
        outcomes = [
            _outcome(201 if isinstance(each, CreateOperation) else 200, row_id, after[row_id])
            for each, row_id in zip(operations, ids, strict=True)
        ]
        return b",".join(outcomes).join(list_ends(len(outcomes), None))

    def _checked(self, operation: _OfRow, row: Row | None) -> Row:
        if row is None:
            raise self.not_found(operation.id)
        tags = None if operation.if_match is None else entity_tags(operation.if_match.encode())
        if not Precondition(tags).matches(row.etag):
            raise self.changed(operation.id)
        return row

    async def _rows(self, tx: Database, ids: Sequence[str]) -> dict[str, Row]:
        if not ids:
            return {}
        where = {"id": {"in": list(ids)}}
        find = partial(self.actions(tx).find_many, where=where, include=self.include)
        found = await projected_rows(tx, self.shown, ("id", self.version), find)
        return {row_id: Row(version, json) for [row_id, version], json in found}


def _refused(failed: Sequence[tuple[int, HandoverError]], count: int) -> HandoverError:
    """The error of the first operation that failed, with the details of all."""
    _, error = failed[0]
    details = list[FieldError]()
    for number, each in failed:
        place = f"operations.{number}"
        if each.details:
            details += [replace(detail, field=f"{place}.data.{detail.field}") for detail in each.details]
        else:
            field = "id" if isinstance(each, NotFound) else "ifMatch"
            details.append(FieldError(f"{place}.{field}", each.message))
    error.message = f"{len(failed)} of {count} operations failed, so nothing was changed"
    error.details = tuple(details)
    return error
