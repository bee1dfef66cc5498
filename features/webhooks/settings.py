"""Settings of webhooks."""

from typing import Annotated

from pydantic import AfterValidator, Field

from core.settings import SliceSettings, Words


def _checked(entries: tuple[str, ...]) -> tuple[str, ...]:
    from features.systems.api import checked_entries

    return checked_entries(entries)


class WebhookSettings(SliceSettings):
    webhook_allow: Annotated[Words, AfterValidator(_checked)] = ()
    webhook_retry_hours: int = Field(24, ge=1, le=720)
    webhook_retention_days: int = Field(30, ge=0, le=36_500)
