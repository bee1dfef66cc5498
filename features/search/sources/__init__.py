"""Where documents come from: the API's own description, a folder of markdown, uploaded files."""
