"""Files of the registry: upload, metadata, lists, search, download.

Owns the table `files` and the objects of `FILES_URL`. The bytes of a file are an object with a random key;
its row is written, with its audit entry, once the object is complete. Slices whose manifest
has `on_change` for it take part in each change, in its transaction.
"""
