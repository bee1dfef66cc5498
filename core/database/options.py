"""The engine's options, and its status."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The engine's way to PostgreSQL. Times are seconds, except `slow_query_ms`."""

    url: str
    pool_size: int = 10
    pool_timeout_s: float = 5.0
    statement_timeout_s: float = 30.0
    lock_timeout_s: float = 2.0
    max_waiting: int = 200
    """Upper bound of the calls and transactions that wait for a connection; the next is refused at once."""
    transaction_timeout_s: float = 5.0
    transaction_max_wait_s: float = 2.0
    slow_query_ms: float = 200.0
    projected_reads: bool = True
    """False: PostgreSQL gives rows, and their JSON is made here, by the model."""
    origin: str | None = None
    """Name of this process in the log of changes."""
    client: str | None = None
    """Module of a generated JavaScript client other than the project's own."""

    def configuration(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "poolSize": self.pool_size,
            "poolTimeout": round(self.pool_timeout_s * 1000),
            "statementTimeout": round(self.statement_timeout_s * 1000),
            "lockTimeout": round(self.lock_timeout_s * 1000),
            # An engine may stop without its connections being closed: nobody shall wait for its locks then.
            "idleTimeout": round(self.statement_timeout_s * 1000),
            "transactionTimeout": round(self.transaction_timeout_s * 1000),
            "transactionMaxWait": round(self.transaction_max_wait_s * 1000),
            "origin": self.origin,
            "client": self.client,
        }


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """The state of the engine; the pool's connections are those of the last probe, a second ago at most."""

    alive: bool
    pid: int | None
    in_flight: int
    restarts: int
    pool_total: int = 0
    pool_idle: int = 0
    pool_waiting: int = 0
