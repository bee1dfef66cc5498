"""What this slice hands to the app: nothing over HTTP. `handover demo` calls `features.demo.api`."""

from core.feature import Feature

feature = Feature(name="demo")
