"""Values of the typed client, as tests write them."""

from typing import Any

from prisma import Json


def json(value: Any) -> Json:
    """Any JSON: the client's own type wants every dict spelled out as one of mixed values."""
    return Json(value)


async def stored(showcase: Any, **values: Any) -> Any:
    """A book of these values, read again."""
    book = await showcase.book.create(data={"title": "values", **values})
    assert await showcase.book.find_unique(where={"id": book.id}) == book
    return book
