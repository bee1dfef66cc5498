"""The LowDB format on its way out: the text of the file, and the file."""
