"""Commands `handover import` and `handover verify`. A command imports its modules when it runs.

options.py       the groups and the options that commands share
files.py         files: LowDB, CSV
registry.py      the documentation registry
undo.py          the way back
running.py       a job as a command runs it, to its summary
shown.py         summaries and differences
"""

import typer

from features.imports.commands import files, registry, undo  # noqa: F401 - they hold the commands
from features.imports.commands.options import imports, verification

app = typer.Typer()
app.add_typer(imports, name="import")
app.add_typer(verification, name="verify")
