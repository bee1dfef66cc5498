"""Platform: it knows no feature; only `core.app` lists them.

The version is checked here, before anything else is imported, so that an old Python ends with one sentence
and not with a syntax error from a dependency. Keep this file readable by any Python 3.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python reads this line
    sys.exit(
        "Handover needs Python 3.11 or newer, but this is Python {}.{}; install a newer one and run "
        "`make run PYTHON=/path/to/python3`.".format(*sys.version_info[:2])
    )
