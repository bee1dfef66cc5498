"""Background jobs over HTTP: list, show, follow and cancel them.

Owns no table: `core.jobs` writes those of jobs, this slice shows them. Events are numbered from
1 without gaps, so a client that reconnects misses nothing.
"""
