"""The idea bank as the LowDB file that it came from."""
