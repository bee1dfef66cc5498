"""Errors of keys, each with its permanent code."""

from core.errors import Forbidden, NotFound


class KeyNotFound(NotFound, code="keys.not_found"):
    def __init__(self, key_id: str) -> None:
        super().__init__(f"API key with id {key_id} not found")


class KeysDisabled(Forbidden, code="keys.off"):
    """Keys cannot be managed over HTTP with AUTH=off: nobody has proved to be an administrator."""

    def __init__(self) -> None:
        super().__init__(
            "API keys are managed over HTTP only with AUTH=keys; until then use the command `handover keys`"
        )
