"""Finished answers, cached by policy and key; invalidated by tag after commit; never stale on one host.

The promise: once `invalidate(tags)` has returned, and so before the write is answered, no read that begins
later in any process of this host returns an entry with one of these tags that was loaded before the write's
commit. On other hosts none does that begins later than `CACHE_HOSTS_BOUND_MS` after the answer; with
`CACHE_STRICT`, none at all.

On one host
===========
Each process of a host that uses the same database (`home`) maps one file of random tag versions (`versions`):
an epoch, and one version per tag. A read first notes epoch and versions (1), then looks for an entry, in
memory, then in Redis, then loads (2), then stores the entry with what it noted at (1). An entry is used only
if what it carries equals what the reader notes. A writer commits (3), gives its tags new random versions (4),
answers (5).

- A load that saw the state before (3) began before (3), so its (1) lies before (4): it carries an old
  version. A reader that begins after (5) notes the new one. They differ for good, for no version is ever used
  twice. PostgreSQL shows a commit to every new snapshot before it confirms it, and loads read the primary.
- (4) happens in memory, before the writer's first suspension. There is nothing to deliver, so nothing to
  lose: cancellation, time limits and Redis have no part in it.
- **Redis only stores**, and for the processes of one host: names begin with its epoch. Whatever it returns is
  compared with versions it cannot know. Restarted, flushed, restored from an old snapshot, stopped and
  resumed, answering late, evicting, refusing writes: it can produce a missing entry or an old one, and an old
  one carries old versions.
- **Single flight**: readers of a process join a load only if they noted the same versions as the one that
  started it, that is, if no write to its tags was answered in between. A load that fails stores nothing and
  fails for those who wait; a reader that is cancelled does not cancel the load; a load that is cancelled
  sends the waiting ones to load.
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
What others write, a host reads in the database's own log of changes (`core.changes`), and renews its tag
versions for it: (4) once more, so all of the above holds for that as well. Only when it reads is another
question: the moment at which the last look that has been applied began stands beside the versions, and no
entry is used when that is longer ago than the bound. A read that finds it too old waits for a look; where
none can be made, it loads. Redis has no part in that either, and several hosts need not share one.

What it costs
=============
A hit in memory: some microseconds and one `fstat`. A hit in Redis: one round trip. A miss: one more. Redis
down or hanging: one time limit (`REDIS_TIMEOUT_S`) for those who find out, then about a second in which
nobody asks, then one asks for all. Reads load directly meanwhile (BYPASS); nobody sees an error.
"""

from core.cache.cache import Cache
from core.cache.policy import Address, Entry, Load, Outcome, Policy, cache_key
from core.cache.redis import CacheUnavailable
