"""An idea as the API shows it, made by PostgreSQL."""

from core.database.json import Field, json_object, moment, number, text, word
from features.systems import api as systems


def idea_json(row: str) -> str:
    """The JSON of `row`, a row of the table; the same bytes as those of the model `Idea`."""
    return json_object(
        Field("id", text(f"{row}.id")),
        Field("title", text(f"{row}.title")),
        Field("description", text(f"coalesce({row}.description, '')")),
        Field("category", word(f"{row}.category")),
        Field("priority", word(f"{row}.priority")),
        Field("status", word(f"{row}.status")),
        Field("tags", text(f"{row}.tags")),
        Field("systemId", text(f"{row}.system_id"), optional=True),
        Field("system", systems.link_of(f"{row}.system_id"), optional=True),
        Field("assignedTo", text(f"{row}.assigned_to"), optional=True),
        Field("createdBy", text(f"{row}.created_by"), optional=True),
        Field("estimatedHours", number(f"{row}.estimated_hours"), optional=True),
        Field("actualHours", number(f"{row}.actual_hours"), optional=True),
        Field("dueDate", moment(f"{row}.due_date"), optional=True),
        Field("completedAt", moment(f"{row}.completed_at"), optional=True),
        Field("createdAt", moment(f"{row}.created_at")),
        Field("updatedAt", moment(f"{row}.updated_at"), optional=True),
    )
