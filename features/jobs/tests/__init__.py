"""Over HTTP: what clients see of jobs."""
