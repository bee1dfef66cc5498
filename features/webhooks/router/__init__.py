"""Routes under `/api/v1/webhooks`: webhooks, their secrets, and the log of their deliveries."""

# Each module adds its routes to the one router when it is imported.
from features.webhooks.router import deliveries as deliveries
from features.webhooks.router import registry as registry
from features.webhooks.router.path import router as router
