"""Queries of the import tables. Functions take `db` first and open no transaction."""
