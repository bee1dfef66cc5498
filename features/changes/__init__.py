"""Changes: what was changed, in the order of positions, as server-sent events and as pages.

Owns the tables `change_events` and `change_positions`. A trigger makes an event of each entry of the audit
trail, in the transaction of the change. The sequencer (`sql`) gives positions to committed events, in order;
any process that wants to read has it run first. One at a time does, and one that dies has done nothing.
"""
