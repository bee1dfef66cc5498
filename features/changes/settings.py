"""Settings of changes."""

from pydantic import Field

from core.settings import SliceSettings


class ChangesSettings(SliceSettings):
    changes_retention_days: int = Field(7, ge=1, le=365)
