"""A field of systems that holds any JSON object."""
