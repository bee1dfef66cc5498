"""How files come, change and go.

receive.py  a multipart form becomes objects of the store
upload.py   those objects get their rows
record.py   what every change does besides: audit entry, listeners, cache
"""
