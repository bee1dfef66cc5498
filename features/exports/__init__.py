"""Exports: the idea bank as a LowDB file, the registry as CSV of its old schema, any list as CSV.

What was imported and has not changed since comes out as it came. An export is a job (`export.lowdb`,
`export.registry`, `export.csv`): one snapshot of the database, streamed to a file or folder that appears only
when it is complete.

Owns the folder `DATA_DIR/exports`; reads through the `api` of the slices. Events: `export.written`.
"""
