"""Imports as clients see them, each with what became of it."""
