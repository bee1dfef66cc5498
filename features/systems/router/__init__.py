"""Routes under `/api/v1/systems`: the published contract, and what was added to it."""

# Each module adds its routes to the one router when it is imported.
from features.systems.router import checks as checks
from features.systems.router import registry as registry
from features.systems.router.path import router as router
