"""(a) FastAPI with SQLAlchemy 2 (async, asyncpg) and response models, as its tutorials have it."""

import os
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import uuid4

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel
from sqlalchemy import DateTime, ForeignKey, String, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

from tests.bench.yardsticks.shapes import IDEAS, ITEMS, POOL, CreateItem, UpdateItem, cursor, iso, now

engine = create_async_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"),
    pool_size=POOL,
    max_overflow=0,
)
sessions = async_sessionmaker(engine, expire_on_commit=False)
Moment = DateTime(timezone=True)


class Base(DeclarativeBase):
    pass


class System(Base):
    __tablename__ = "systems"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class Idea(Base):
    __tablename__ = "ideas"
    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    description: Mapped[str]
    category: Mapped[str]
    priority: Mapped[str]
    status: Mapped[str]
    tags: Mapped[list[str]] = mapped_column(ARRAY(String))
    system_id: Mapped[str | None] = mapped_column(ForeignKey("systems.id"))
    assigned_to: Mapped[str | None]
    created_by: Mapped[str | None]
    estimated_hours: Mapped[float | None]
    actual_hours: Mapped[float | None]
    due_date: Mapped[datetime | None] = mapped_column(Moment)
    completed_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime | None] = mapped_column(Moment)
    system: Mapped[System | None] = relationship()


class IdeaTotal(Base):
    __tablename__ = "idea_totals"
    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str]
    ideas: Mapped[int]


class ItemTotal(Base):
    __tablename__ = "item_totals"
    id: Mapped[int] = mapped_column(primary_key=True)
    items: Mapped[int]


class Item(Base):
    __tablename__ = "items"
    id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    description: Mapped[str]
    category: Mapped[str]
    priority: Mapped[str]
    status: Mapped[str] = mapped_column(default="new")
    tags: Mapped[list[str]] = mapped_column(ARRAY(String))
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime | None] = mapped_column(Moment)
    version: Mapped[int] = mapped_column(default=1)


Timestamp = Annotated[datetime, PlainSerializer(iso, return_type=str)]
T = TypeVar("T")


class Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)


class ItemAnswer(Answer):
    id: str
    title: str
    description: str
    category: str
    priority: str
    status: str
    tags: list[str]
    created_at: Timestamp
    updated_at: Timestamp | None


class SystemAnswer(Answer):
    id: str
    name: str


class IdeaAnswer(Answer):
    id: str
    title: str
    description: str
    category: str
    priority: str
    status: str
    tags: list[str]
    system_id: str | None
    system: SystemAnswer | None
    assigned_to: str | None
    created_by: str | None
    estimated_hours: float | None
    actual_hours: float | None
    due_date: Timestamp | None
    completed_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp | None


class One(Answer, Generic[T]):
    success: bool = True
    data: T


class Done(Answer, Generic[T]):
    success: bool = True
    message: str
    data: T


class Page(Answer, Generic[T]):
    success: bool = True
    count: int
    total: int
    next_cursor: str | None
    data: list[T]


app = FastAPI()


async def session() -> AsyncIterator[AsyncSession]:
    async with sessions() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "healthy"}


@app.get("/api/items", response_model=Page[ItemAnswer])
async def list_items(db: Session, limit: int = 100) -> object:
    found = await db.scalars(select(Item).order_by(Item.created_at.desc(), Item.id).limit(limit + 1))
    return page(ITEMS, list(found), await db.scalar(select(func.sum(ItemTotal.items))), limit)


@app.get("/api/items/{item_id}", response_model=One[ItemAnswer])
async def get_item(db: Session, item_id: str) -> object:
    return {"data": await found_item(db, item_id)}


@app.get("/api/v1/ideas", response_model=Page[IdeaAnswer], response_model_exclude_none=True)
async def list_ideas(db: Session, status: str, limit: int = 20) -> object:
    wanted = select(Idea).where(Idea.status == status).options(selectinload(Idea.system))
    found = await db.scalars(wanted.order_by(Idea.created_at.desc(), Idea.id).limit(limit + 1))
    total = select(func.sum(IdeaTotal.ideas)).where(IdeaTotal.status == status)
    return page(IDEAS, list(found), await db.scalar(total), limit)


@app.post("/api/items", status_code=201, response_model=Done[ItemAnswer])
async def create_item(db: Session, values: CreateItem) -> object:
    item = Item(id=str(uuid4()), created_at=now(), **values.model_dump())
    db.add(item)
    await db.commit()
    return {"message": "Item created successfully", "data": item}


@app.put("/api/items/{item_id}", response_model=Done[ItemAnswer])
async def update_item(db: Session, item_id: str, values: UpdateItem) -> object:
    item = await found_item(db, item_id)
    for name, value in values.model_dump(exclude_unset=True).items():
        setattr(item, name, value)
    item.updated_at = now()
    item.version += 1
    await db.commit()
    return {"message": "Item updated successfully", "data": item}


async def found_item(db: AsyncSession, item_id: str) -> Item:
    item = await db.get(Item, item_id)
    if item is None:
        raise HTTPException(404, f"Item with id {item_id} not found")
    return item


def page(
    scope: tuple[str, ...], rows: list[Item] | list[Idea], total: int | None, limit: int
) -> dict[str, object]:
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "count": min(limit, len(rows)),
        "total": total,
        "next_cursor": last and cursor(scope, last.created_at, last.id),
        "data": rows[:limit],
    }
