"""LowDB format of exports: content of the file, and its atomic replacement."""
