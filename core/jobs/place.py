"""The identity of a data folder: a job that needs files of one is run only where that folder is."""

import uuid
from pathlib import Path
from typing import Final

FILE: Final = "place"


def place_of(data_dir: Path) -> str:
    """UUID of the data folder, made by the first process that asks. It stays with the folder."""
    path = data_dir / FILE
    if not path.exists():
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        mine = str(uuid.uuid4())
        fresh = data_dir / f".{FILE}-{mine}"
        fresh.write_text(mine, encoding="ascii")
        try:
            # Unlike a rename, a link leaves the winner's in place.
            path.hardlink_to(fresh)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return str(uuid.UUID(path.read_text(encoding="ascii").strip()))
