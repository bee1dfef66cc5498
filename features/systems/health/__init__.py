"""Health checks of systems.

check.py   check of one system, and storage of its result
every.py   all of them, as a job that a request may wait for
"""
