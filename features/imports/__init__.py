"""Imports: a LowDB file of the idea bank becomes items, the old registry becomes systems, ideas, files and
audit entries, a CSV file of a spreadsheet items, ideas or systems.

An import is a job (`import.lowdb`, `import.csv`, `import.questdb`, `import.postgres`) in four phases:
preflight reads the whole source and validates every record before anything is written, load writes the valid
ones in batches together with the checkpoint, verify compares the table with the source row by row, report
stores the result. Records that cannot be taken over are kept with their reasons.

Sources (`lowdb`, `csv`, `registry`) give records to a validator for each kind; from there on all is one
`pipeline`, over the tables that slices declare in their `api` as an `ImportTable`, and the journal of what
each import did. Another table of the old registry is one declaration in `registry.tables`.

Owns the tables `import_*` and the folder `DATA_DIR/imports`. Events: `import.preflight_done`,
`import.loaded`, `import.verified`.
"""
