"""Settings of the audit trail."""

from pydantic import Field

from core.settings import SliceSettings


class AuditSettings(SliceSettings):
    audit_retention_days: int = Field(0, ge=0, le=36_500)
