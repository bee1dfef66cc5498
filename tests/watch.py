"""`make watch`: the PostgreSQL and Redis of the tests with their migrated template database, kept up, so that
each run of pytest beside it starts at once.
"""

import signal
import sys

from tests.fixtures.services import WATCHED, make_template, running_services


def watch() -> None:
    """Until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with running_services(WATCHED) as running:
            assert running.database_url is not None
            make_template(running.database_url)
            sys.stdout.write("PostgreSQL and Redis are up for `.venv/bin/pytest`; Ctrl-C stops them\n")
            sys.stdout.flush()
            signal.pause()
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    watch()
