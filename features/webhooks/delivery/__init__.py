"""From the log of changes to receivers.

signature.py     secrets, and the headers of the specification
materialise.py   deliveries of changes
pace.py          back-off of a delivery, and the load that a receiver gets
sender.py        one run of the job: reads the log, sends what is due, records how it ended
metrics.py       figures
"""
