"""Items of the idea bank: create, read, update and delete them, and take over those of the old service.

Owns the table `items`. Every write adds an entry to the audit trail in the same transaction and, once
committed, invalidates the cached responses of the item and of the lists.
"""
