"""Embedded PostgreSQL and Redis of the default set-up: per data folder, and stopped when nobody uses them.

    services.py   what a server, a command or a test enters: `with local_services(settings) as settings`
    supervisor.py the process that runs one service for as long as somebody holds its users lock
    postgres.py   how PostgreSQL is made and run       redis.py   how Redis is run
    server.py     what both have, and where it stands

A user holds a shared kernel lock (flock) while it lives; however it dies, the kernel lets go of the lock.
The supervisor waits for the exclusive lock: when it gets it, nobody is left, and it stops its service. No
heartbeat, no pid guessing.
"""
