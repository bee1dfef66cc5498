"""Exports: the idea bank as a LowDB file, as the old server would have written it.

Records that were imported and have not changed since come out to the byte, with everything around them. An
export is the job `export.lowdb`: one snapshot of the database, streamed to a file that appears only when it
is complete.

Owns the folder `DATA_DIR/exports`; reads through `features.imports.api` and `features.items.api`. Events:
`export.written`.
"""
