"""Queries of systems by the typed client: `registry` of the systems, `checks` of their health checks."""
