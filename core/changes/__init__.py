"""The log of changes (table `changes`), and how the cache of each host follows it.

Statement triggers write a line for each row that a transaction writes, in that transaction, whoever sends the
statements: another host, a command, a server of an earlier release, psql. So whoever can commit a write has
logged it, and nothing else can fail between a write and the caches of other hosts.

One process of a host **looks**, on one connection to the primary that belongs to nothing else (`follower`).
It keeps the snapshot S of its last look and asks for the lines that S could not see: those of transactions
that were in progress in S, and of those that began later. Ids alone do not tell, for transactions do not
commit in the order of their ids. For each line it renews the tags that `Feature.renews` names, as the writing
host does itself at once; lines that processes of its own host have written it leaves out, while they run.

- Let a look begin at L, on the clock of the host. All that was committed before L is visible to its snapshot,
  and so was read by it or by an earlier one. When it is applied, L is written beside the tag versions.
- An entry is used at R only if R - L <= CACHE_HOSTS_BOUND_MS, and only with the tag versions of R. So what it
  lacks was committed after R minus the bound. With CACHE_STRICT the bound is 0: each read waits for a look
  that begins after it; reads that come together share one, and each process looks for itself.
- **A lost connection begins a new life**: after a crash, the failover to a standby that lagged or a restore,
  transaction ids are given out again, and a snapshot of before means nothing; only the loss of the
  connection tells. The new life takes a new S, then leaves behind every entry of the host (the epoch), and
  each process closes the connections that its pool has from before. The same follows when the log itself is
  another table by now (it was restored), or lines of it were deleted, which is logged like other changes.
  Lines of transactions that are yet to come, as a restored log holds them, are passed over by their ids.
- A process that stands still (SIGSTOP, a machine that sleeps) finds L long ago when it goes on. Whoever takes
  over from a process that looked begins a life too.
- A transaction that writes for long costs nothing: its lines appear with its commit; S names it till then.
- Behind a pooler the connection is held by a transaction that reads committed rows and never ends.

Looks are made twice within the bound while there are reads; without any, nobody asks PostgreSQL anything, and
the next read waits for a look. Not covered: an old primary that goes on unseen while another one has been
made (split brain).
"""

from core.changes.follower import ChangeFollower

__all__ = ["ChangeFollower"]
