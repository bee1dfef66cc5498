"""SQL of systems that Prisma cannot express.

match.py   full-text match, and orders by an expression: they find ids
lock.py    a system that has to stay
bulk.py    whole batches of an import
"""
