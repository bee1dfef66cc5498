"""Manifest of the slice."""

from core.feature import Feature
from core.http.request.access import AccessScope
from features.keys.cache import KEY_TAG, renewed
from features.keys.router import router
from features.keys.service import holder_of, tell_when_there_is_none

feature = Feature(
    name="keys",
    description="Who may use the service, with AUTH=keys",
    router=router,
    cache_tags=(KEY_TAG,),
    renews={"ApiKey": renewed},
    entities=("key",),
    admin=True,
    authenticate=holder_of,
    on_start=tell_when_there_is_none,
    enumerations={"AccessScope": AccessScope},
)
