"""What this slice hands to the app: nothing over HTTP, but a command."""

from core.feature import Feature

feature = Feature(name="demo")
