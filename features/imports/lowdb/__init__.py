"""The LowDB format: reading the file, judging its records, and the spool between preflight and load."""
