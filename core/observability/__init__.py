"""Observability: log events (`logging`) and figures (`metrics`)."""
