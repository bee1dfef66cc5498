"""Settings of files: where their bytes are kept, and the size of the largest."""

from pydantic import ByteSize, Field, field_validator

from core.settings import GIB, MIB, SliceSettings, split_url


class FileSettings(SliceSettings):
    """`files_url` may hold a password. Without it files are in the data folder."""

    files_url: str | None = Field(None, repr=False)
    files_max_bytes: ByteSize = Field(ByteSize(50 * MIB), ge=1, le=2 * GIB - 1)

    @field_validator("files_url")
    @classmethod
    def _store_url(cls, value: str | None) -> str | None:
        if not value:
            return None
        parts = split_url(value)
        if parts.scheme not in {"s3", "gs", "az", "file"}:
            raise ValueError("must start with s3://, gs://, az:// or file://")
        if not (parts.path.strip("/") if parts.scheme == "file" else parts.netloc):
            raise ValueError("must name a bucket or a folder, as in s3://bucket/folder or file:///srv/files")
        return value
