"""Event streams that a process has open, fed by one reader: of changes, and of other slices' events."""
