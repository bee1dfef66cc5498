"""The audit trail: who changed which row, when, and from what to what.

Owns the table `audit_entries`. Slices that write call `features.audit.api.record` inside their own
transaction, so that a change and its entry exist together or not at all.
"""
