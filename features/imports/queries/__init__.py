"""Queries of the import tables. Functions take `db` first and open no transaction."""

from features.imports.queries.rejects import insert_rejects, rejects_after, rejects_of_earlier

__all__ = ["insert_rejects", "rejects_after", "rejects_of_earlier"]
