"""The HTTP view of background work: list, show, follow and cancel jobs.

Owns no table: `core.jobs` writes `jobs` and `job_events`, this slice shows them. Events are numbered from
1 without gaps, so a client that reconnects misses nothing.
"""
