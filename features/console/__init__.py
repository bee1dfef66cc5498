"""Console: the pages for people at `/console`, made on the server.

Owns the table `console_sessions`. All that a page shows and does goes through the service's own public
API, in this process and with the key of the person who is signed in: rules, rights, preconditions, limits
and the audit trail are those of the API. `texts.toml` has the words, `templates/` the pages, `static/`
what browsers load.
"""
