"""The cache against a real Redis: behaviour, bounds, faults, and races over two processes."""
