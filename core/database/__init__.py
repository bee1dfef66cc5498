"""PostgreSQL through Prisma: the typed client, the engine process that runs its queries, transactions, the
schema.
"""
