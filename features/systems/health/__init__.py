"""Checking that systems answer.

check.py   one system: what is found, and what becomes of it in the registry
every.py   all of them, as a job that a request may wait for
"""
