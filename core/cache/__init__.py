"""Finished answers, cached by policy and key; invalidated by tag after commit; never stale on one host.

The promise: once `invalidate(tags)` has returned, and so before the write is answered, no read that begins
later in any process of this host returns an entry with one of these tags that was loaded before the write's
commit. On other hosts that use the same Redis none does that begins later than `CACHE_HOSTS_BOUND_MS` after
the answer; with `CACHE_STRICT`, none at all. (If Redis fails: see below.)

On one host
===========
Each process of a host that uses the same database (`home`) maps one file of random stamps (`stamps`): an
epoch, and one stamp per tag. A read first notes epoch and stamps (1), then looks for an entry, in memory,
then in Redis, then loads (2), then stores the entry with what it noted at (1). An entry is used only if what
it carries equals what the reader notes. A writer commits (3), gives its tags new random stamps (4), answers
(5).

- A load that saw the state before (3) began before (3), so its (1) lies before (4): it carries an old stamp.
  A reader that begins after (5) notes the new one. They differ for good, for no stamp is ever used twice.
  PostgreSQL shows a commit to every new snapshot before it confirms it, and loads read from the primary.
- (4) happens in memory, before the writer's first suspension. There is nothing to deliver, so nothing to
  lose: cancellation, time limits and Redis have no part in it.
- **Redis only stores.** Whatever it returns is compared with stamps it cannot know. Restarted, flushed,
  restored from an old snapshot, stopped and resumed, answering late, carrying out a command whose sender gave
  up, evicting: it can produce a missing entry or an old one, and an old one carries old stamps.
- **Single flight**: readers join a load, in their process or through a lease in another one (`lease`), only
  if they noted the same stamps as the one that started it, that is, if no write to its tags was answered in
  between. A load that fails stores nothing and fails for those who wait in its process; a reader that is
  cancelled does not cancel the load; a load that is cancelled sends the waiting ones to load. A lease ends by
  itself, and nobody waits longer.
- **Expired entries** that are served while they are renewed (`Policy.stale_s`) are compared like others, so
  an invalidation ends that too. **Variants** (`Cache.keep`) carry what their original carries.
- **Keys**: policy, version and key are hashed to 128 bits, and the entry repeats the hash. Text of a request
  never becomes part of a Redis key. Two tags that share a slot only cause more loads.
- **Killed between (3) and (4)**: the write was never answered; and whoever starts next on the host renews the
  epoch, which leaves all entries behind. The same covers a machine that lost power.
- **The file deleted while in use**: noticed through its link count by each read, and by each write after it
  wrote.

Between hosts
=============
Hosts share stamps of their own in Redis. Between (4) and (5) a writer gives its tags new ones there too and
publishes the tags, in one transaction (a). A read of an entry in Redis reads Redis' stamps in the same
command and compares them as strictly: that much holds without any bound.

Memory is used without asking, so a process has to hear of (a). It is subscribed (`subscription`), renews its
own host's stamps for each tag it hears of, and sends PINGs on the same connection; on one connection Redis
answers in order. Memory is used at a moment R only if a PING that was sent at P, R - P <= bound, has been
answered, and only entries whose (1) lies within the present subscription.

- Let a write be answered at T, R > T + bound. Then P > T, so (a) was carried out before that PING, and its
  message was heard before the PONG; by then the host's stamps differ from those of (1), if (1) lies before
  that. If it lies after, the read that noted it looked into Redis or loaded after (a), and after (3).
- A message that was lost was lost with its subscription. Under the next one nothing noted before is used.
- **Redis gone for everybody** (the writer cannot deliver): no PING sent after T is answered, so memory is
  used at most until T + bound, and a writer need not wait for that. Restarted, Redis cannot bring anything
  back, since all names begin with its run id. One that hung and goes on has been given up by each
  subscription before a writer gave up on it, and whoever gives up renews its host's epoch, so nothing from
  before is used. What a writer could not deliver waits, is tried again twice within the bound (`delivery`),
  and so arrives when Redis is back, about that much later. While Redis is away, reads of one host share a
  load only if they begin within one bound.
- **Redis gone for the writer alone**, for longer than that: its tags wait; the others, who see nothing amiss,
  show old entries for at most their time to live. The same when a host dies between (3) and (a).
  `handover_cache_undelivered_invalidations` and the log tell.
- One primary is assumed, not a Redis Cluster. A replica promoted with missing writes is bounded by the time
  to live. A machine that sleeps does not count the time it slept.

Where Redis and database are both the embedded ones of one data folder, whoever reaches this Redis maps this
file: there is nobody to tell. Writes then ask Redis nothing, memory is always used, and nobody subscribes.
Several hosts without a common Redis know nothing of each other: there the time to live is the bound.

What it costs
=============
A hit in memory: some microseconds and one `fstat`. A hit in Redis, a miss, a write that others have to hear
of: one round trip each. Redis down or hanging: one time limit (`REDIS_TIMEOUT_S`) for those who find out,
then about a second in which nobody asks, then one asks for all. Reads load directly meanwhile (BYPASS);
nobody sees an error.
"""

from core.cache.cache import Cache, CacheUnavailable
from core.cache.policy import Address, Entry, Outcome, Policy, cache_key

__all__ = ["Address", "Cache", "CacheUnavailable", "Entry", "Outcome", "Policy", "cache_key"]
