"""Routes under `/api/v1/files`: the published contract, with metadata, ranges, paging and a repair added."""

# Each module adds its routes to the one router when it is imported.
from features.files.router import changes as changes
from features.files.router import reads as reads
from features.files.router import transfer as transfer
from features.files.router.requests import router as router
