"""Texts of the demo, from the tables in `data`."""

import csv
from pathlib import Path
from typing import Final
from uuid import UUID, uuid5

DATA: Final = Path(__file__).parent / "data"
FILES: Final = DATA / "files"
_NAMESPACE: Final = UUID("b9a3c6a4-52f5-4f0e-8f39-6b6f0a4f7c11")


def table(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def id_of(kind: str, key: str) -> str:
    """Id of a row, the same each time, so that filling twice does not double anything."""
    return str(uuid5(_NAMESPACE, f"{kind}:{key}"))
