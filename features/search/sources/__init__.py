"""Sources of documents: the API's own description, a folder of markdown, uploaded files."""
