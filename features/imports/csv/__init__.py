"""CSV files of any shape as a source of items, ideas or systems: their reader, the mapping of columns to
fields, and the validator, which is made of the slice's own model of new rows.
"""
