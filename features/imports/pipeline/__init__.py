"""The pipeline of an import, whatever its source: preflight validates every record and fills the spools, load
writes them in batches beside the journal, verify compares the tables with the spools, report sums up.

source.py      what a source gives          validator.py   base of the validators, and the rejects
spool.py       records between the phases   previous.py    what earlier imports found (identifiers.py)
since_last.py  changes since then
"""
