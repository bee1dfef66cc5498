"""Changes of files: upload, update, takeover.

receive.py    a multipart form becomes objects of the store
upload.py     those objects get their rows
listeners.py  what every change does besides: others take part in it
takeover.py   the bytes of files that an old registry kept
"""
