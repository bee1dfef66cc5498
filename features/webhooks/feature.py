"""Manifest of the slice."""

from core.feature import Feature
from features.webhooks.cache import CACHE_TAGS, renewed
from features.webhooks.jobs import DELIVER, PRUNE, supervise
from features.webhooks.queries.registry import urls_of
from features.webhooks.router import router
from features.webhooks.schemas import State

feature = Feature(
    name="webhooks",
    description="URLs that are told of changes, signed",
    router=router,
    jobs=(DELIVER, PRUNE),
    cache_tags=CACHE_TAGS,
    renews={"Webhook": renewed},
    names_of={"webhook": urls_of},
    admin=True,
    on_start=supervise,
    enumerations={"DeliveryState": State},
)
