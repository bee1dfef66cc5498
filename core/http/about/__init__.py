"""Routes about the service itself: health, metrics, the OpenAPI document."""
