"""Keys for other slices: who holds one."""

from features.keys.service import authenticate
