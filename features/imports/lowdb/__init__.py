"""LowDB format: reader of the file, validation of its records, and the spool between preflight and load."""
