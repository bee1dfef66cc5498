"""What the demo consists of.

data/        the texts, as tables; `data/files` the files to upload
tables.py    reads them
history.py   when what happened: each row in all the versions that it went through
"""
