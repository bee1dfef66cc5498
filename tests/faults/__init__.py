"""What happens to those who use the service while something breaks under load.

Each test breaks one thing while writers and readers go on, and then counts: requests answered, refused (503,
or no connection: the client knows that it has to try again), wrong (anything else), acknowledged writes that
are not there afterwards, and the time until a write succeeded again. The figures are printed at the end.
"""
