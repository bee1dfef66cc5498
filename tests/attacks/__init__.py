"""Input as an attacker would send it, over every route. Nothing of it may fail the server, tell its inside or
keep others waiting. What attacks one feature alone is tested there: contents of uploads, targets of checks.
"""
