"""Settings of webhooks. WEBHOOK_ALLOW stands with systems, which check addresses."""

from pydantic import Field

from core.settings import SliceSettings


class WebhookSettings(SliceSettings):
    webhook_retry_hours: int = Field(24, ge=1, le=720)
    webhook_retention_days: int = Field(30, ge=0, le=36_500)
