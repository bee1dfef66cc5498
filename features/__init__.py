"""One folder per feature. A slice is mounted by `core.app` and meets other slices only through their `api.py`."""
