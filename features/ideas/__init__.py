"""Ideas for the documentation: create, read, update and delete them, list and order them, and their board.

Owns the table `ideas`. An idea may belong to a system, whose name is read with it. Every write adds an entry
to the audit trail in the same transaction and, once committed, invalidates the cached responses of ideas.
"""
