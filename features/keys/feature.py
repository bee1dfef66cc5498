"""Manifest of the slice."""

from core.feature import Feature
from core.http.request.access import KEY_TAG, AccessScope
from features.keys.cache import renewed
from features.keys.router import router
from features.keys.service import authenticate, tell_when_there_is_none

feature = Feature(
    name="keys",
    description="Who may use the service, with AUTH=keys",
    router=router,
    cache_tags=(KEY_TAG,),
    renews={"ApiKey": renewed},
    admin=True,
    authenticate=authenticate,
    on_start=tell_when_there_is_none,
    enumerations={"AccessScope": AccessScope},
)
