"""What the two FastAPI yardsticks share: requests, and the answers' few derived values."""

import base64
import json
from datetime import UTC, datetime
from typing import Final, Literal

from pydantic import BaseModel, Field

POOL: Final = 10

Category = Literal[
    "documentacao", "coleta-dados", "banco-dados", "analise-dados", "gestao-riscos", "dashboard"
]
Priority = Literal["low", "medium", "high", "critical"]
ITEMS: Final = ("items",)
IDEAS: Final = ("ideas", "created_at", "desc")
"""What cursors of the two lists begin with."""
Status = Literal["new", "review", "in-progress", "completed", "rejected"]


class CreateItem(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    description: str = Field(min_length=1)
    category: Category
    priority: Priority
    tags: list[str] = []


class UpdateItem(BaseModel):
    title: str = Field("", min_length=1, max_length=200)
    description: str = Field("", min_length=1)
    category: Category = "dashboard"
    priority: Priority = "low"
    status: Status = "new"
    tags: list[str] = []


def now() -> datetime:
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def cursor(scope: tuple[str, ...], created_at: datetime, row_id: str) -> str:
    text = json.dumps([*scope, iso(created_at), row_id], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
