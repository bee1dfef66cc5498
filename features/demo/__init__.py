"""Demo data: systems, ideas, items, files, and sixty days of their history.

Owns no table: it writes through the other slices. The command `handover demo` calls it. Ids are the same each
time, so filling twice adds nothing.
"""
