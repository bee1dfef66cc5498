"""Finished answers, cached by policy and key; invalidated by tag after commit; never stale on one host.

The promise: once `invalidate(tags)` has returned, and so before the write is answered, no `get_or_load` that
begins later in any process of this host returns an entry with one of these tags that was loaded before the
write's commit.

Why it holds
============
Each process of a host that uses the same database (`home`) maps one file of random stamps (`stamps`): an
epoch, and one stamp per tag. A read first notes epoch and stamps (1), then looks for an entry, then loads
(2), then stores the entry with what it noted at (1). An entry is used only if what it carries equals what the
reader notes. A writer commits (3), gives its tags new random stamps (4), answers (5).

- A load that saw the state before (3) began before (3), so its (1) lies before (4): it carries an old stamp.
  A reader that begins after (5) notes the new one. They differ for good, for no stamp is ever used twice.
  PostgreSQL shows a commit to every new snapshot before it confirms it, and loads read from the primary.
- (4) happens in memory, before the writer's first suspension. There is nothing to deliver, so nothing to
  lose: cancellation, time limits and Redis have no part in it.
- **Redis only stores.** Whatever it returns is compared with stamps it cannot know. Restarted, flushed,
  restored from an old snapshot, stopped and resumed, answering late, carrying out a command whose sender gave
  up, evicting: it can produce a missing entry or an old one, and an old one carries old stamps.
- **Single flight**: readers join a load only if they noted the same stamps as the one that started it, that
  is, if no write to its tags was answered in between. A load that fails stores nothing and fails for those
  who wait; a reader that is cancelled does not cancel the load; a load that is cancelled sends the waiting
  ones to load.
- **Keys**: policy, version and key are hashed to 128 bits, and the entry repeats the hash. Text of a request
  never becomes part of a Redis key. Two tags that share a slot only cause more loads.
- **Killed between (3) and (4)**: the write was never answered; and whoever starts next on the host renews the
  epoch, which leaves all entries behind. The same covers a machine that lost power.
- **The file deleted while in use**: noticed through its link count by each read, and by each write after it
  wrote.

Between hosts
=============
Hosts share stamps of their own in Redis, read with the entry in one MGET and compared as strictly, so while
Redis answers, the promise holds across hosts too. It is bounded, not strict, when a writer's host cannot
deliver: the tags wait and are sent within about half a second of Redis being reachable again (`delivery`); a
host that never comes back leaves the others with at most the entry's time to live. A Redis that restarts
cannot bring anything back, since all names begin with its run id. While Redis is away, reads of one host
share a load, which may have begun before another host's write: the bound is that load's duration. One primary
is assumed, not a Redis Cluster. A replica promoted with missing writes is bounded by the time to live.

What it costs
=============
Redis down or hanging: one time limit (`REDIS_TIMEOUT_S`) for those who find out, then about a second in which
nobody asks, then one asks for all. Reads load directly meanwhile (BYPASS); nobody sees an error.
"""

from core.cache.cache import Cache, CacheUnavailable
from core.cache.policy import Address, Entry, Outcome, Policy, cache_key

__all__ = ["Address", "Cache", "CacheUnavailable", "Entry", "Outcome", "Policy", "cache_key"]
