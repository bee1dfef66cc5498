"""Files of the registry: upload, metadata, lists, search, download.

Owns the table `files` and the objects of `FILES_URL`. The bytes of a file are an object with a random key;
its row is written, with its audit entry, once the object is complete. A change tells those who subscribed
through `features.files.api`, in its own transaction.
"""
