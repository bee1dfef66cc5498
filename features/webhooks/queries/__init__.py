"""Queries by the typed client: `registry` of webhooks, `deliveries` of theirs. Functions take `db` first."""
