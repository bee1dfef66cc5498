"""What this slice hands to the app: nothing over HTTP yet. Others write through `features.audit.api`."""

from core.feature import Feature

feature = Feature(name="audit")
