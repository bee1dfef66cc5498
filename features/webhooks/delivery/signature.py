"""Secrets and signatures of the Standard Webhooks specification ("Signature scheme"), by its library."""

import base64
import binascii
import secrets
from datetime import datetime
from typing import Final

from standardwebhooks import Webhook

from features.webhooks.errors import SecretRefused
from features.webhooks.schemas import Due

PREFIX: Final = "whsec_"
KEY_BYTES: Final = 32
SMALLEST_KEY: Final = 24
LARGEST_KEY: Final = 64


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def checked_secret(given: str) -> str:
    """The secret as it is. Raises SecretRefused."""
    try:
        key = base64.b64decode(given.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise SecretRefused from None
    if not given.startswith(PREFIX) or not SMALLEST_KEY <= len(key) <= LARGEST_KEY:
        raise SecretRefused
    return given


def signed_headers(due: Due, moment: datetime) -> dict[str, str]:
    """Headers of an attempt at this moment: one signature of each valid secret."""
    valid = [each for each in (due.secret, due.previous_secret) if each is not None]
    return {
        "content-type": "application/json",
        "webhook-id": due.id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(Webhook(each).sign(due.id, moment, due.body) for each in valid),
    }
