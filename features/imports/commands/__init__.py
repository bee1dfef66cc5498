"""Commands `handover import` and `handover verify`. A command imports its modules when it runs.

options.py    the groups and their options
lowdb.py      the idea bank
registry.py   the documentation registry
shown.py      their output and exit codes
"""

import typer

from features.imports.commands import lowdb, registry  # noqa: F401 - they hold the commands
from features.imports.commands.options import imports, verification

app = typer.Typer()
app.add_typer(imports, name="import")
app.add_typer(verification, name="verify")
