"""Gives the data back: the idea bank as a LowDB file, as the old server would have written it.

What was imported and has not changed since comes out to the byte, with everything around it. An export is the
job `export.lowdb`: one snapshot of the database, streamed to a file that appears only when it is whole.

Owns the folder `DATA_DIR/exports`; reads through `features.imports.api` and `features.items.api`. Events:
`export.written`.
"""
