"""What is done with bytes, apart from rows.

names.py       from what a client calls its file to names that are safe anywhere
formats.py     the formats that are taken, and how their content is recognized
inspection.py  judges and hashes a file as it streams by
objects.py     the object store: whole objects in, ranges out
"""
