"""Requests and responses of files, and the frozen values that pass between the slice's modules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel
from pydantic.alias_generators import to_camel

from core.http.answers.pagination import Offset, TextCursor
from core.http.request.fields import Text, Timestamp, Trimmed, always_there, is_none, without_null
from core.http.request.input import Input, Update

ID_LENGTH: Final = 128
DESCRIPTION_LENGTH: Final = 500
SEARCH_LENGTH: Final = 200
MAX_FILES: Final = 5
LARGEST_SIZE: Final = 2**31 - 1
"""Upper bound of the column of sizes, in bytes."""

OrderBy = Literal["created_at", "size", "filename", "mime_type"]
Order = Sequence[tuple[str, bool]]
"""Columns, each with True if it ascends."""

NEWEST_FIRST: Final[Order] = (("created_at", False), ("id", True))
# As the indexes have them, which are read forwards or backwards.
_ORDERS: Final[Mapping[OrderBy, Order]] = {
    "created_at": NEWEST_FIRST,
    "size": (("size_bytes", False), ("id", True)),
    "filename": (("filename", True), ("id", True)),
    "mime_type": (("mime_type", True), *NEWEST_FIRST),
}
Direction = Literal["ASC", "DESC"]
ChangeAction = Literal["created", "updated", "deleted"]

LinkId = Annotated[Text, Field(min_length=1, max_length=ID_LENGTH)]
Description = Annotated[Trimmed, Field(max_length=DESCRIPTION_LENGTH)]

_EXAMPLE: Final[dict[str, Any]] = {
    "id": "5b0f3f2a-7a0c-4b57-9d6e-3d0f4a1c2e77",
    "filename": "architecture.pdf",
    "mimetype": "application/pdf",
    "size": 482113,
    "ideaId": "1f9b6598-6e08-4825-a686-638a5d6b0e4a",
    "uploadedBy": "ada",
    "createdAt": "2025-10-23T22:46:19.740Z",
    "originalName": "architecture.pdf",
    "isPublic": False,
    "downloadCount": 3,
    "checksum": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}


class FileMetadata(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, json_schema_extra={"example": _EXAMPLE}
    )

    id: str
    filename: str = Field(description="Safe for any file system")
    mimetype: str = Field(alias="mimetype")
    size: int = Field(description="Bytes")
    idea_id: str | None = Field(default=None, exclude_if=is_none, json_schema_extra=without_null)
    system_id: str | None = Field(default=None, exclude_if=is_none, json_schema_extra=without_null)
    uploaded_by: str
    created_at: Timestamp
    updated_at: Timestamp | None = Field(default=None, exclude_if=is_none, json_schema_extra=without_null)
    original_name: str = Field(description="As the client called it")
    description: str | None = Field(default=None, exclude_if=is_none, json_schema_extra=without_null)
    is_public: bool
    download_count: int
    checksum: str = Field(description="SHA-256 of the content, hexadecimal")


class Files(RootModel[list[FileMetadata]]):
    """A bare list."""


class UploadFields(Input):
    """Fields of a form beside its files; an empty field counts as absent."""

    idea_id: LinkId | None = None
    system_id: LinkId | None = None
    description: Description | None = None
    is_public: bool = False


class UpdateFile(Update):
    """Only the fields that are present change; null, or an empty description, takes the value away."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"description": "Second draft", "is_public": True}}
    )

    description: Description | None = None
    is_public: bool = False
    system_id: LinkId | None = None
    idea_id: LinkId | None = None


class FileFilter(Input):
    """Filter of files: every condition that is present must hold."""

    model_config = ConfigDict(frozen=True)

    system_id: Text | None = Field(
        default=None, max_length=ID_LENGTH, description="Only files of the system with this id"
    )
    idea_id: Text | None = Field(
        default=None, max_length=ID_LENGTH, description="Only files of the idea with this id"
    )
    uploaded_by: Text | None = Field(
        default=None, max_length=ID_LENGTH, description="Only files that this person uploaded"
    )
    mime_type: Text | None = Field(
        default=None,
        max_length=200,
        description="Only files of this media type",
        examples=["application/pdf"],
    )
    search: Annotated[Trimmed, Field(max_length=SEARCH_LENGTH)] | None = Field(
        default=None, description="Words that name and description contain; the last may be cut short"
    )
    is_public: bool | None = Field(default=None, description="Only public files, or only private ones")
    min_size: int | None = Field(default=None, ge=0, description="Only files of this many bytes or more")
    max_size: int | None = Field(default=None, ge=0, description="Only files of this many bytes or fewer")
    created_from: Timestamp | None = Field(default=None, description="Only files of this moment or later")
    created_to: Timestamp | None = Field(default=None, description="Only files of this moment or earlier")


class FileQuery(FileFilter):
    """Page of files. `cursor` goes on after the page before; it belongs to that page's order."""

    limit: int = Field(default=50, ge=1, le=100, description="How many files at most")
    offset: Offset = 0
    order_by: OrderBy = Field(default="created_at", description="What the files are ordered by")
    order_direction: Direction = Field(
        default="DESC", description="`DESC`: the newest, the largest or the last letters first"
    )
    cursor: TextCursor | None = None

    @property
    def order(self) -> Order:
        order = _ORDERS[self.order_by]
        turned = order[0][1] != (self.order_direction == "ASC")
        return [(column, ascending != turned) for column, ascending in order]


class SearchQuery(Input):
    q: Annotated[Trimmed, Field(min_length=2, max_length=SEARCH_LENGTH)] = Field(
        description="Words that name and description contain; the last may be cut short"
    )
    limit: int = Field(default=50, ge=1, le=100, description="How many files at most")


class FilesStats(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    total: int
    total_size: int = Field(description="Bytes")
    by_mime_type: dict[str, int]


class UploadInfo(BaseModel):
    max_file_size: int = Field(description="Bytes")
    allowed_extensions: list[str]
    max_files_per_request: int


class UploadFailure(BaseModel):
    filename: str = Field(description="As the client called it")
    error: str


class MultiStatus(BaseModel):
    """Some files were stored, some were not."""

    model_config = ConfigDict(json_schema_extra=always_there("success"))

    success: Literal[True] = True
    data: list[FileMetadata]
    errors: list[UploadFailure]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """File with the key of its object and its row's version."""

    file: FileMetadata
    object_key: str
    version: int


@dataclass(frozen=True, slots=True)
class Received:
    """Received file whose object is complete."""

    original_name: str
    filename: str
    mime_type: str
    size: int
    checksum: str
    object_key: str


@dataclass(frozen=True, slots=True)
class LocalContent:
    """Content of a local file. `mime_type` is that of its extension if the content agrees."""

    checksum: str
    size: int
    mime_type: str


@dataclass(frozen=True, slots=True)
class StoredContent:
    """Content of an object, and its key."""

    checksum: str
    object_key: str
    size: int


@dataclass(frozen=True, slots=True)
class Audience:
    """Audience of files: it sees the public ones and those of `name`; None sees all."""

    name: str | None = None

    def may_see(self, file: FileMetadata) -> bool:
        return self.name is None or file.is_public or file.uploaded_by == self.name


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """File as its indexers need it. `checksum` changes with the content; `owner` is None for a public one."""

    id: str
    original_name: str
    filename: str
    mime_type: str
    size: int
    checksum: str
    description: str | None
    created_at: datetime
    object_key: str
    owner: str | None

    @classmethod
    def of(cls, stored: StoredFile) -> "IndexedFile":
        file = stored.file
        return cls(
            file.id,
            file.original_name,
            file.filename,
            file.mimetype,
            file.size,
            file.checksum,
            file.description,
            file.created_at,
            stored.object_key,
            None if file.is_public else file.uploaded_by,
        )


@dataclass(frozen=True, slots=True)
class FileChange:
    """Change of a file, for `on_change` of other slices: as it is now, or was until it was deleted."""

    action: ChangeAction
    file: IndexedFile
