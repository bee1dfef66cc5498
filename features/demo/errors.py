"""Errors of the demo, each with its permanent code."""

from core.errors import Conflict


class RegistryInUse(Conflict, code="demo.registry_in_use"):
    def __init__(self, what: object) -> None:
        super().__init__(
            "The registry holds other data already; `handover demo --force` adds to it what is missing of "
            f"{what}"
        )
