"""Targets of exports: a file or a folder that appears whole or not at all."""
