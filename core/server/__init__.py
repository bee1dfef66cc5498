"""The server: `handover serve`, connections with a limit in every state, the life of a process, and the
embedded PostgreSQL and Redis.

serve.py      settings, embedded services, schema, uvicorn, and out again in the reverse order
protocol.py   the server's end of a connection    limits.py              what it checks
lifecycle.py  the end of a server process         embedded/              services of the default set-up
"""
