"""Result of an import: figures of each table and their sums."""

from typing import Any, Final

from core.jobs import JsonObject
from features.imports.pipeline.checkpoint import Checkpoint
from features.imports.pipeline.source import Source
from features.imports.schemas import Changes, FileArguments, Phase, RegistryArguments

_SUMS: Final = (
    *("records", "rejected", "imported", "updated", "unchanged", "kept", "differing", "verified"),
    "changedSince",
)
_CHANGES: Final = ("new", "changed", "unchanged", "conflicts", "vanished")


def report(source: Source, checkpoint: Checkpoint) -> JsonObject:
    """Result of the job. A dry run counts what would be imported and what exists, and has the `firstRows` of
    a CSV file. `store`, `absent` and `tables` are a registry's; `ignored` are other lists of a LowDB file,
    `unknown` other columns of a CSV file or of a registry's table.
    """
    arguments = source.arguments
    tables = {
        table: tally.model_dump(
            by_alias=True,
            exclude_none=True,
            mode="json",
            exclude={"first_rows", "spool_sha256", "place"},
        )
        for table, tally in checkpoint.tables.items()
    }
    sums = [*_SUMS, *(["existing"] if arguments.dry_run else [])]
    seconds = {phase: round(value, 3) for phase, value in checkpoint.seconds.items()}
    rows: dict[Phase, int] = {"preflight": checkpoint.count("records")}
    result: dict[str, Any] = {
        "dryRun": arguments.dry_run,
        "onConflict": arguments.on_conflict,
        "filename": arguments.filename,
        "sha256": checkpoint.sha256,
        "bytes": checkpoint.bytes,
        **{name: sum(figures[name] for figures in tables.values()) for name in sums},
        "rejects": [sample.model_dump() for sample in checkpoint.samples],
        "seconds": seconds,
        "rowsPerSecond": {
            phase: round(rows.get(phase, checkpoint.count("done")) / max(value, 0.001))
            for phase, value in seconds.items()
        },
    }
    if (changes := _changes(source, checkpoint)) is not None:
        result["sinceLast"] = changes.model_dump(by_alias=True)
    if isinstance(arguments, RegistryArguments):
        for table, figures in tables.items():
            figures["unknown"] = arguments.unknown.get(table, [])
        result |= {
            "superseded": checkpoint.count("superseded"),
            "store": arguments.store,
            "absent": arguments.absent,
            "tables": tables,
        }
    elif isinstance(arguments, FileArguments) and arguments.into is not None:
        result["unknown"] = arguments.unknown
        if arguments.dry_run:
            result["firstRows"] = checkpoint.tables[arguments.into].first_rows
    else:
        result["ignored"] = checkpoint.ignored
    return result


def _changes(source: Source, checkpoint: Checkpoint) -> Changes | None:
    """Changes of all tables together, whose rows have the names that they have among those of all tables."""
    total: Changes | None = None
    for table, tally in checkpoint.tables.items():
        if (each := tally.since_last) is not None:
            total = (total or Changes(previous=each.previous)).plus(
                **{name: getattr(each, name) for name in _CHANGES},
                first_conflicts=[
                    told.model_copy(update={"id": source.label(table, told.id)})
                    for told in each.first_conflicts
                ],
                first_vanished=[source.label(table, row_id) for row_id in each.first_vanished],
            )
    return total
