"""The Redis client of this process, with every setting that has a say when Redis is slow or gone.

The library's own defaults retry ten times and wait for seconds; here one attempt has to do, for whoever asks
has a way to go on without Redis.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

MAX_CONNECTIONS: Final = 1000
"""A safety net: the cache holds itself to far fewer."""


def connect(url: str, timeout_s: float, connected: Callable[[AbstractConnection], Awaitable[None]]) -> Redis:
    """A client that connects on its first command; each connection runs `connected` before anything else.

    `connected` is awaited in place of the usual greeting and has to call `connection.on_connect()` itself.
    Raises ValueError for a URL that is none.
    """
    pool: ConnectionPool = ConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        retry_on_timeout=False,
        health_check_interval=0,
        protocol=2,
        decode_responses=False,
        driver_info=None,
        redis_connect_func=connected,
    )
    return Redis(connection_pool=pool)


async def run_id_of(connection: AbstractConnection) -> str:
    """The random name that a Redis process gives itself when it starts."""
    await connection.send_command("INFO", "server", check_health=False)
    answer = await connection.read_response()
    for line in answer.splitlines() if isinstance(answer, bytes) else ():
        name, _, value = line.partition(b":")
        if name == b"run_id":
            return value.decode("ascii", "replace").strip()
    raise RedisConnectionError("INFO server names no run_id")
