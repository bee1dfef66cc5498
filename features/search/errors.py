"""Errors of the search, each with its permanent code."""

from core.errors import NotFound


class DocumentNotFound(NotFound, code="search.document_not_found"):
    def __init__(self, document_id: str) -> None:
        super().__init__(f"Document with id {document_id} not found")
