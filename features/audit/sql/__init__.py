"""What Prisma cannot say of entries.

recent.py      the newest of several kinds
retention.py   leave to delete
takeover.py    whole batches of an import
"""
