"""What the command line uses of imports: enqueue a file, then run the job it gets."""

from features.imports.schemas import KIND, Options
from features.imports.service import accept_file, sweep

__all__ = ["KIND", "Options", "accept_file", "sweep"]
