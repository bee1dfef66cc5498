"""Settings of the search."""

from core.settings import Folder, SliceSettings


class SearchSettings(SliceSettings):
    docs_dir: Folder | None = None
    search_index_on_start: bool = True
