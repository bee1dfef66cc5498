"""The log of changes, and the hosts that follow it: two of them in this process, each with its own memory."""
