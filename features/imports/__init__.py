"""Takes legacy data over: a LowDB file of the idea bank becomes items.

An import is the job `import.lowdb` in four phases: preflight reads the whole source and judges every
record before anything is written, load writes the good ones in batches together with the checkpoint, verify
compares the table with the source row by row, report closes the books. What cannot be taken over is kept,
with reasons.

Owns the table `import_rejects` and the folder `DATA_DIR/imports`; rows of items are written through
`features.items.api`. Events: `import.preflight_done`, `import.loaded`, `import.verified`.
"""
