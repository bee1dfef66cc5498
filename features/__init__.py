"""One folder per feature. `core.app` mounts a slice; slices meet only through their `api.py`."""
