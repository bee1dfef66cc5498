"""The only place that asks the database for what imports keep. Functions take `db` first and open no
transaction.
"""

from features.imports.queries.rejects import insert_rejects, rejects_after

__all__ = ["insert_rejects", "rejects_after"]
