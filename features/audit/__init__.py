"""Audit trail: who changed which row, when, from where, and from what to what.

Owns the table `audit_entries`. PostgreSQL writes the entries of rows, by triggers that a slice's migration
attaches (`handover_audit`); bulk work adds one of its own by `features.audit.api.record`. So a change and its
entry exist together or not at all. The table is append-only: a trigger refuses to update or delete an entry.
Only the job `audit.retention` deletes, entries older than `AUDIT_RETENTION_DAYS`; the setting
`handover.audit_retention` of its own transactions says so to the trigger.

Entries of an old service's log are added by imports, once each, by their id there.
"""
