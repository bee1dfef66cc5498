"""Service of the console: sessions, calls of the API, and the making of pages."""
