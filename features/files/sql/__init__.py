"""SQL of files that Prisma cannot express.

match.py   full-text match: it finds ids
lock.py    a file that has to stay as it is
bulk.py    whole batches of an import
"""
