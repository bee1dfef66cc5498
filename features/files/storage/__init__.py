"""Storage of files' bytes, apart from rows.

names.py       safe names from what a client calls its file
formats.py     the allowed formats, and how their content is recognized
inspection.py  checks and hashes a file as it streams by
objects.py     the object store: whole objects in, ranges out
"""
