"""SQL of audit entries that Prisma cannot express.

recent.py      newest entries of several kinds
retention.py   permission to delete
takeover.py    whole batches of an import
"""
