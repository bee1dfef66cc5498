"""Settings of systems."""

from pydantic import field_validator

from core.settings import SliceSettings, Words
from features.systems.outbound.targets import Target


class SystemSettings(SliceSettings):
    """`healthcheck_allow` and `webhook_allow` say which addresses `outbound` may reach although they are not
    public, of systems and of webhooks: a GET that many may cause is another matter than a POST.
    """

    healthcheck_allow: Words = ()
    webhook_allow: Words = ()

    @field_validator("healthcheck_allow", "webhook_allow")
    @classmethod
    def _targets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            try:
                Target.parse(entry)
            except ValueError:
                raise ValueError(
                    "must list hosts (intranet.example or 10.0.0.7, also with a port: intranet.example:8080) "
                    f"or networks such as 10.0.0.0/8; {entry[:80]!r} is none"
                ) from None
        return value
