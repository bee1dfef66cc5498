"""Result of an import: figures of each table and their sums."""

from collections.abc import Mapping
from typing import Final

from core.jobs import JsonObject
from features.imports.registry.preflight import sha256_of_all
from features.imports.registry.schemas import (
    Arguments,
    Checked,
    Checkpoint,
    Phase,
    Result,
    Sample,
    Table,
    TableResult,
)
from features.imports.registry.tables import TARGETS
from features.imports.schemas import SAMPLES, Changes

_SUMS: Final = (
    "records",
    "superseded",
    "rejected",
    "imported",
    "updated",
    "unchanged",
    "kept",
    "differing",
    "verified",
    "changed_since",
)
_CHANGES: Final = ("new", "changed", "unchanged", "conflicts", "vanished")


def report(
    arguments: Arguments,
    checkpoint: Checkpoint,
    checked: tuple[dict[Table, Checked], float] | None,
    samples: list[Sample] | None,
) -> JsonObject:
    """Result of the job as JSON. `samples`, and how many rows exist already, are for dry runs."""
    findings = checkpoint.findings
    proved, verify_s = checked or ({}, 0.0)
    tables = {
        table: TableResult(
            records=each.rows,
            superseded=each.superseded,
            rejected=each.rejected,
            **checkpoint.tally(table).model_dump(include={"imported", "updated", "unchanged", "kept"}),
            differing=0 if arguments.since_last else proved.get(table, Checked()).kept,
            verified=proved.get(table, Checked()).verified,
            changed_since=proved.get(table, Checked()).changed_since,
            existing=each.existing if arguments.dry_run else None,
            translated=each.translated,
            adapted=each.adapted,
            unknown=arguments.unknown.get(table, []),
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
        store=arguments.store,
        sha256=sha256_of_all(arguments),
        bytes=findings.bytes,
        absent=arguments.absent,
        tables=tables,
        **{name: sum(getattr(each, name) for each in tables.values()) for name in _SUMS},
        existing=sum(each.existing or 0 for each in tables.values()) if arguments.dry_run else None,
        since_last=_all_changes(tables),
        rejects=samples,
        seconds=seconds,
        rows_per_second={phase: round(rows[phase] / max(seconds[phase], 0.001)) for phase in rows},
    )
    return result.model_dump(by_alias=True, exclude_none=True, mode="json")


def _all_changes(tables: Mapping[Table, TableResult]) -> Changes | None:
    found = [(TARGETS[table].entity, each.since_last) for table, each in tables.items() if each.since_last]
    if not found:
        return None
    total = Changes(previous=found[0][1].previous)
    for entity, each in found:
        conflicts = [told.model_copy(update={"id": f"{entity} {told.id}"}) for told in each.first_conflicts]
        total = total.model_copy(
            update={name: getattr(total, name) + getattr(each, name) for name in _CHANGES}
            | {
                "first_conflicts": [*total.first_conflicts, *conflicts][:SAMPLES],
                "first_vanished": [
                    *total.first_vanished,
                    *(f"{entity} {row_id}" for row_id in each.first_vanished),
                ][:SAMPLES],
            }
        )
    return total
