"""Result of an import: figures of each table and their sums."""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from core.jobs import JsonObject
from features.imports.pipeline.checkpoint import Checked, Checkpoint
from features.imports.pipeline.source import Source
from features.imports.schemas import (
    Changes,
    FileArguments,
    OnConflict,
    Phase,
    RegistryArguments,
    Sample,
    Store,
    Table,
)


class _Figures(BaseModel):
    """`kept` rows were stored before and were left alone; `differing` ones among them say something else than
    the source. `unchanged` ones were identical.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    records: int
    superseded: int | None = None
    rejected: int
    imported: int
    updated: int
    unchanged: int
    kept: int
    differing: int
    verified: int
    changed_since: int
    existing: int | None = None
    since_last: Changes | None = None


class TableResult(_Figures):
    """Result of one table. Only the newest version of a row is taken; the older ones are `superseded`, and
    kept among the rejects. `unknown` are columns that its schema does not have.
    """

    unknown: list[str]
    translated: dict[str, int]
    adapted: dict[str, int]


class Result(_Figures):
    """Result of the job, with the first `rejects`. A dry run counts what would be imported and what exists,
    and has the `first_rows` of a CSV file. `seconds` and `rowsPerSecond` are by phase. `store`, `absent` and
    `tables` are a registry's, whose `since_last` names rows by entity and id; `ignored` are other lists of a
    LowDB file, `unknown` other columns of a CSV file.
    """

    dry_run: bool
    on_conflict: OnConflict
    filename: str
    store: Store | None = None
    sha256: str
    bytes: int
    ignored: list[str] | None = None
    unknown: list[str] | None = None
    absent: list[Table] | None = None
    tables: dict[str, TableResult] | None = None
    rejects: list[Sample]
    first_rows: list[dict[str, str | None]] | None = None
    seconds: dict[Phase, float]
    rows_per_second: dict[Phase, int]


_SUMS: Final = (
    *("records", "rejected", "imported", "updated", "unchanged", "kept", "differing", "verified"),
    "changed_since",
)
_CHANGES: Final = ("new", "changed", "unchanged", "conflicts", "vanished")


def report(
    source: Source,
    checkpoint: Checkpoint,
    checked: tuple[dict[str, Checked], float] | None,
) -> JsonObject:
    """Result of the job as JSON. How many rows exist already, and the first rows, are for dry runs."""
    arguments, findings = source.arguments, checkpoint.findings
    outcomes, verify_s = checked or (dict.fromkeys(findings.tables, Checked()), 0.0)
    tables = {
        table: TableResult(
            records=each.rows,
            superseded=each.superseded,
            rejected=each.rejected,
            **checkpoint.tally(table).model_dump(include={"imported", "updated", "unchanged", "kept"}),
            differing=0 if arguments.since_last else outcomes[table].kept,
            verified=outcomes[table].verified,
            changed_since=outcomes[table].changed_since,
            existing=each.existing if arguments.dry_run else None,
            translated=each.translated,
            adapted=each.adapted,
            unknown=arguments.unknown.get(table, []) if isinstance(arguments, RegistryArguments) else [],
            since_last=checkpoint.tally(table).changes,
        )
        for table, each in findings.tables.items()
    }
    seconds: dict[Phase, float] = {"preflight": round(findings.seconds, 3)}
    rows: dict[Phase, int] = {"preflight": findings.rows}
    if checked is not None:
        seconds |= {"load": round(checkpoint.seconds, 3), "verify": round(verify_s, 3)}
        rows |= {"load": checkpoint.done, "verify": checkpoint.done}
    result = Result(
        dry_run=arguments.dry_run,
        on_conflict=arguments.on_conflict,
        filename=arguments.filename,
        sha256=findings.sha256,
        bytes=findings.bytes,
        **{name: sum(getattr(each, name) for each in tables.values()) for name in _SUMS},
        existing=sum(each.existing or 0 for each in tables.values()) if arguments.dry_run else None,
        since_last=_all_changes(source, tables),
        rejects=findings.samples,
        seconds=seconds,
        rows_per_second={phase: round(rows[phase] / max(seconds[phase], 0.001)) for phase in rows},
    )
    if isinstance(arguments, RegistryArguments):
        result.superseded = sum(each.superseded or 0 for each in tables.values())
        result.store, result.absent, result.tables = arguments.store, arguments.absent, tables
    elif isinstance(arguments, FileArguments) and arguments.into is not None:
        result.unknown = arguments.unknown
        if arguments.dry_run:
            result.first_rows = findings.tables[arguments.into].first_rows
    else:
        result.ignored = findings.ignored
    return result.model_dump(by_alias=True, exclude_none=True, mode="json")


def _all_changes(source: Source, tables: Mapping[str, TableResult]) -> Changes | None:
    found = [(table, each.since_last) for table, each in tables.items() if each.since_last]
    if not found:
        return None
    total = Changes(previous=found[0][1].previous)
    for table, each in found:
        conflicts = [
            told.model_copy(update={"id": source.label(table, told.id)}) for told in each.first_conflicts
        ]
        vanished = [source.label(table, row_id) for row_id in each.first_vanished]
        counts = {name: getattr(each, name) for name in _CHANGES}
        total = total.plus(**counts, first_conflicts=conflicts, first_vanished=vanished)
    return total
