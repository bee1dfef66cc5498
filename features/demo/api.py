"""What the command line uses of the demo."""

from features.demo.errors import RegistryInUse
from features.demo.service import Added, fill

__all__ = ["Added", "RegistryInUse", "fill"]
