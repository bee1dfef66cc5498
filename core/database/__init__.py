"""PostgreSQL through Prisma: typed client, engine process that runs its queries, transactions, schema.

Rules for writers:

- What belongs together is one `unit_of_work(db, work)`. It may run several times, so `work` starts from what
  it reads in its own transaction; what is not in the database (cache, files, messages) comes after it.
- What is one statement needs no transaction: `retried(db, work)`, or nothing at all where no conflict can be.
- A transaction holds a connection and its locks while Python works: ask others (HTTP, files) before or after.
- Inside of it use `tx` only; a call through `db` would wait for a second connection while holding the first.
- Locks are taken in one order, so that units wait in line and not for each other: systems, ideas, files,
  items, then imports and jobs, audit entries last; within a table by ascending id.
- Lost updates are prevented by the row's `version` (`If-Match`), not by holding locks while somebody thinks.
"""
