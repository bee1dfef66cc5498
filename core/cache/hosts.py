"""What the hosts that share a database and a Redis tell each other: which tags a write has invalidated."""

import math
import time
from collections.abc import Sequence

from core.cache import metrics
from core.cache.delivery import Delivery
from core.cache.redis import RedisTier
from core.cache.stamps import Stamps
from core.cache.subscription import Subscription, Trust
from core.cache.wire import Message


class Hosts:
    """`trust` says whether what this process keeps may be used: never, unless it `listens`. `bound_s` is how
    much later than the answer to a write it may hear of it, in seconds.
    """

    def __init__(self, redis: RedisTier, bound_s: float, *, listens: bool) -> None:
        self.trust = Trust(until=-math.inf)
        self._redis = redis
        self._bound_s = bound_s
        self._stamps: Stamps | None = None
        self._delivery = Delivery(self._announce, retry_s=bound_s / 2)
        self._subscription: Subscription | None = None
        if listens:
            self._subscription = Subscription(
                redis.client.connection_pool, bound_s, redis.timeout_s, self.trust
            )

    async def start(self, stamps: Stamps) -> None:
        self._stamps = stamps
        if self._subscription is not None:
            await self._subscription.start(self)

    async def close(self) -> None:
        """Delivers what the others have not been told."""
        if self._subscription is not None:
            await self._subscription.close()
        await self._delivery.close()

    async def tell(self, tags: Sequence[bytes]) -> None:
        """Returns when the others can know, or Redis does not answer; then they are told later."""
        await self._delivery.send(tags)

    def window(self, now: float) -> int:
        """The same for two moments only if less than the bound lies between them."""
        return int(now / self._bound_s)

    def heard(self, message: Message) -> None:
        """On the writer's own host the tags have been renewed before it announced them."""
        if message.origin != self._own_stamps.epoch:
            metrics.propagation_seconds.observe(max(0.0, time.time() - message.sent_at))
            self._own_stamps.renew(message.tags)

    def lost(self) -> None:
        """Something may not have been heard."""
        self._own_stamps.renew_epoch()

    async def _announce(self, tags: Sequence[bytes], *, insist: bool) -> None:
        await self._redis.announce(tags, self._own_stamps.epoch, insist=insist)

    @property
    def _own_stamps(self) -> Stamps:
        if self._stamps is None:
            raise RuntimeError("the cache is used before start()")
        return self._stamps
