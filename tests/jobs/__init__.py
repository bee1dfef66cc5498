"""The job runner against a real database: leases, fencing, recovery, cancelling, events."""
