"""Speed and memory, measured, never asserted: `make bench`."""
