"""Content of the demo.

data/        the texts, as tables; `data/files` the files to upload
tables.py    reads them
history.py   every row in all its versions, with their times
"""
