"""A believable registry to look at: systems, ideas, items, files, and sixty days of their history.

Owns no table: it writes through the other slices. The command `handover demo` calls it. Everything in it has
the same id each time, so filling twice adds nothing.
"""
