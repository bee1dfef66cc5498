"""The LowDB file as a source: its reader, the records of the old service and their validator, and the JSON
that the old server wrote.
"""
