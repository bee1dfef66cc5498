"""Values of the typed client, as tests write them."""

from typing import Any

from prisma import Json


def json(value: Any) -> Json:
    """Any JSON: the client's own type wants every dict spelled out as one of mixed values."""
    return Json(value)
