"""Settings of imports."""

from pydantic import ByteSize, Field

from core.settings import GIB, SliceSettings


class ImportSettings(SliceSettings):
    import_max_bytes: ByteSize = Field(ByteSize(2 * GIB), ge=1)
    import_batch_rows: int = Field(2000, ge=1, le=50_000)
