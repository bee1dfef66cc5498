"""The documentation registry as a folder of CSV files, in the schema that it came from."""
