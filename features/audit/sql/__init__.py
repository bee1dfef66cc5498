"""SQL of audit entries that Prisma cannot express.

export.py      entries of some entities, as an export reads them
recent.py      newest entries of several kinds
retention.py   permission to delete
takeover.py    whole batches of an import
"""
