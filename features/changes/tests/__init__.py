"""Over HTTP: what clients see of changes."""
