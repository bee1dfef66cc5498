"""Documents of the service: the AsyncAPI one, both as files, and their validation."""
