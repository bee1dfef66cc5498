"""Undo of an import: deletes what it inserted, restores what it overwrote; all of it, or all but what has
changed since, with the rows that it needs.

Any table that imports write takes part by three things: its rows name the import that wrote them last
(`queries.reversal`), its import keeps a chunk of the ids that each batch wrote and an image of each row
before it is overwritten (`queries.journal`), and it stands in `queries.tables`. What the
database does not hold follows after the commit (`undo.contents`).
"""
