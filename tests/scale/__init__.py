"""Lists at the size they will have: what the app asks PostgreSQL, and what that costs.

data.py   a full registry in seconds         wire.py   the statements that the app really sends
plans.py  what PostgreSQL does with them     test_lists.py   every filter and order of every list
"""
