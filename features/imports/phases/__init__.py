"""Phases of an import, in their order: preflight, load, verify."""
