"""An item as the API shows it, made by PostgreSQL."""

from core.database.json import Field, json_object, moment, nullable, text, word


def item_json(row: str) -> str:
    """The JSON of `row`, a row of the table; the same bytes as those of the model `Item`."""
    return json_object(
        Field("id", text(f"{row}.id")),
        Field("title", text(f"{row}.title")),
        Field("description", text(f"{row}.description")),
        Field("category", word(f"{row}.category")),
        Field("priority", word(f"{row}.priority")),
        Field("status", word(f"{row}.status")),
        Field("tags", text(f"{row}.tags")),
        Field("createdAt", moment(f"{row}.created_at")),
        Field("updatedAt", nullable(moment(f"{row}.updated_at"))),
    )
