"""Lists of the API as CSV."""
