"""Manifest of the slice: nothing over HTTP, only a command."""

from core.feature import Feature

feature = Feature(name="demo")
