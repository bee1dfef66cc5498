"""What Prisma cannot say of files.

match.py   full-text match: it finds ids
lock.py    a file that has to stay as it is
bulk.py    whole batches of an import
"""
