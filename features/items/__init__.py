"""The idea bank: create, read, update and delete items, and take over items of the service it replaces.

Owns the table `items`. Every write leaves an entry in the audit trail in the same transaction and, once
committed, makes the cached reads of the item and of the lists invalid.
"""
