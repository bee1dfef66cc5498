"""Registered systems: create, read, update and delete them, find them, and check their health.

Owns the table `systems`. Every write leaves an entry in the audit trail in the same transaction and, once
committed, makes the cached reads of the system and of the lists invalid. Ideas and files that belong to a
deleted system stay, without their link.
"""
