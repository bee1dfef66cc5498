"""Queries of files by the typed client: `rows` of single ones, `lists` of several."""
