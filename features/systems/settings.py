"""Settings of systems."""

from typing import Annotated

from pydantic import AfterValidator

from core.settings import SliceSettings, Words
from features.systems.outbound.targets import checked_entries


class SystemSettings(SliceSettings):
    healthcheck_allow: Annotated[Words, AfterValidator(checked_entries)] = ()
