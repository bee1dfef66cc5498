"""Layers that a request passes, and types of its parameters and bodies."""
