"""Manifest of the slice."""

from core.feature import Feature
from features.audit.cache import AUDIT_TAGS, renewed
from features.audit.jobs import RETENTION
from features.audit.router import router
from features.audit.schemas import RETENTION_ENTITY, Action

feature = Feature(
    name="audit",
    description="Who changed what, and when",
    router=router,
    jobs=(RETENTION,),
    cache_tags=AUDIT_TAGS,
    renews={"AuditEntry": renewed},
    entities=(RETENTION_ENTITY,),
    admin=True,
    enumerations={"AuditAction": Action},
)
