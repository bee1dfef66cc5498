"""What the command line uses of keys."""

from features.keys.queries import all_keys
from features.keys.schemas import ApiKey, CreatedKey, CreateKey
from features.keys.service import create_key, revoke_key

__all__ = ["ApiKey", "CreateKey", "CreatedKey", "all_keys", "create_key", "revoke_key"]
