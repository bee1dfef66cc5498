"""Settings of the service, read once from the environment (and `.env`) into one frozen object.

`.env.example` documents each variable with its default; `tests/test_settings.py` keeps the two equal.
"""

from difflib import SequenceMatcher
from functools import cache
from importlib import import_module
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar, cast
from urllib.parse import SplitResult, urlsplit

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    Field,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.database_url import check_database_url

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

IN_PROCESS_CACHE = "memory"
"""Value of `REDIS_URL` that means: no Redis, cache and rate limit inside each process."""

OTHERS_PREFIXES = ("AWS_", "AZURE_", "COMPOSE_", "GOOGLE_", "OTEL_", "PG", "POSTGRES_", "TEST_")
"""Prefixes of names that `.env` may hold for other programs, however much they look like a setting."""

REASONS = {
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "byte_size": "must be a number of bytes, such as 1048576 or 1MiB",
    "byte_size_unit": "must be a number of bytes, such as 1048576 or 1MiB",
}
"""Messages for pydantic's error types whose own words are longer than they are clear."""


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""List written with commas: `CORS_ORIGINS=https://a.example,https://b.example`."""

Folder = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]


class SettingsError(Exception):
    """A variable has an unusable value; the message is one sentence for the person who set it."""


class SliceSettings(BaseModel):
    """Settings of one slice, in `features/<name>/settings.py`; its fields are read as those of `Settings`."""


Part = TypeVar("Part", bound=SliceSettings)


class Settings(BaseSettings):
    """Variables of the environment, by group. Sizes are bytes (`64MiB` is understood too), `_s` is seconds,
    `_ms` milliseconds. A value that may hold a password has `repr=False` and is never repeated in a message.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True
    )

    # Where it listens and how it runs
    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(8000, ge=1, le=65535)
    workers: int = Field(1, ge=1, le=64)
    data_dir: Folder = Field(Path(".data"), validate_default=True)
    shutdown_delay_s: int = Field(0, ge=0, le=600)
    shutdown_grace_s: int = Field(10, ge=0, le=600)
    trusted_proxies: Words = ()

    # Who may do what
    auth: Literal["off", "keys"] = "off"
    allow_open: bool = False
    allowed_hosts: Words = ()
    admin_host: str = Field("127.0.0.1", min_length=1)
    admin_port: int | None = Field(None, ge=1, le=65535)

    # Logging
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "text", "json"] = "auto"

    # PostgreSQL
    database_url: str | None = Field(None, repr=False)
    database_direct_url: str | None = Field(None, repr=False)
    db_pool_size: int = Field(10, ge=1, le=1000)
    db_pool_timeout_s: float = Field(5, gt=0)
    db_transaction_max_wait_s: float = Field(2, gt=0)
    db_transaction_timeout_s: float = Field(5, gt=0)
    db_statement_timeout_s: float = Field(30, gt=0)
    db_lock_timeout_s: float = Field(2, gt=0)
    db_max_waiting: int = Field(200, ge=0)
    slow_query_ms: int = Field(200, ge=0)
    db_projected_reads: bool = True

    # Redis and the cache
    redis_url: str | None = Field(None, repr=False)
    redis_timeout_s: float = Field(0.25, gt=0)
    cache_ttl_s: float = Field(60, gt=0)
    cache_max_entries: int = Field(2000, ge=1)
    cache_max_bytes: ByteSize = Field(ByteSize(64 * MIB), ge=0)
    cache_hosts_bound_ms: int = Field(50, ge=5, le=60_000)
    cache_strict: bool = False

    # HTTP
    rate_limit_max: int = Field(300, ge=0)
    rate_limit_window_s: int = Field(60, ge=1)
    cors_origins: Words = ()
    max_body_bytes: ByteSize = Field(ByteSize(MIB), ge=1)
    gzip_min_bytes: ByteSize = Field(ByteSize(KIB), ge=0)

    # Jobs
    job_lease_s: float = Field(15, gt=0, le=600)
    job_heartbeat_s: float = Field(3, gt=0)
    jobs_retention_days: int = Field(90, ge=0, le=36_500)

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            try:
                ip_network("0.0.0.0/0" if entry == "unix" else entry, strict=False)
            except ValueError:
                raise ValueError(
                    f"must list addresses, networks such as 10.0.0.0/8, or unix; {entry[:80]!r} is none"
                ) from None
        return value

    @field_validator("log_level", "log_format", "auth", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("database_url", "database_direct_url")
    @classmethod
    def _postgres_url(cls, value: str | None) -> str | None:
        return check_database_url(value) if value else None

    @field_validator("redis_url")
    @classmethod
    def _redis_url(cls, value: str | None) -> str | None:
        if not value:
            return None
        if value == IN_PROCESS_CACHE:
            return value
        if split_url(value).scheme not in {"redis", "rediss", "unix"}:
            raise ValueError("must start with redis://, rediss:// or unix://, or be 'memory' for no Redis")
        return value

    @model_validator(mode="after")
    def _agree(self) -> Self:
        faults = {
            "JOB_HEARTBEAT_S must be at most half of JOB_LEASE_S": self.job_heartbeat_s * 2
            > self.job_lease_s,
            "ADMIN_PORT must be another port than PORT": self.admin_port == self.port,
            "DATABASE_DIRECT_URL is another way to DATABASE_URL, which has to be set too": bool(
                self.database_direct_url and not self.database_url
            ),
        }
        for fault in [fault for fault, is_there in faults.items() if is_there]:
            raise ValueError(fault)
        return self

    def of(self, part: type[Part]) -> Part:
        """Settings of a slice, which are among those of `all_settings`."""
        own: object = self
        assert isinstance(own, part), f"{part.__name__} is in no settings.py of a slice"
        return own

    @property
    def migration_url(self) -> str | None:
        """URL for migrations: past a pooler, where a way past it is known."""
        return self.database_direct_url or self.database_url

    @property
    def uses_redis(self) -> bool:
        """True if cache and rate limit are shared through Redis (embedded or given)."""
        return self.redis_url != IN_PROCESS_CACHE


def split_url(value: str) -> SplitResult:
    """Raises ValueError with words for the one who set it."""
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        raise ValueError("is not a valid URL") from error
    return parts


@cache
def all_settings() -> type[Settings]:
    """Settings class with those of all slices, also for a process that knows no feature."""
    found = Path(__file__).resolve().parents[1].glob("features/*/settings.py")
    modules = [import_module(f"features.{path.parent.name}.settings") for path in sorted(found)]
    parts = [
        part
        for module in modules
        for part in vars(module).values()
        if isinstance(part, type) and issubclass(part, SliceSettings) and part is not SliceSettings
    ]
    return cast(type[Settings], create_model("Settings", __base__=(Settings, *parts)))


def load_settings() -> Settings:
    """Read the environment and `.env`; raises SettingsError, which names all that is wrong."""
    try:
        wrong = _misspelt()
        settings = all_settings()()
    except ValidationError as error:
        raise SettingsError(" ".join([*wrong, _sentence(error)])) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The file .env cannot be read: {error}; correct or remove it.") from None
    if wrong:
        raise SettingsError(" ".join(wrong))
    return settings


def _misspelt() -> list[str]:
    """Sentences about the names in `.env` that are ours but for a letter or two; names of other programs are
    left alone.
    """
    wrong = []
    known = [field.upper() for field in all_settings().model_fields]
    for name in dotenv_values(".env"):
        given = name.upper()
        if given in known or given.startswith(OTHERS_PREFIXES):
            continue
        changes, near = min((_changes(given, each), each) for each in known)
        if changes <= (1 if len(near) < 6 else 2):
            wrong.append(f"{name} in the file .env is no setting; did you mean {near}?")
    return wrong


def _changes(given: str, meant: str) -> int:
    """Letters that were added, left out or exchanged."""
    steps = SequenceMatcher(None, given, meant).get_opcodes()
    return sum(max(b - a, d - c) for kind, a, b, c, d in steps if kind != "equal")


def _sentence(error: ValidationError) -> str:
    reasons = [_reason(each) for each in error.errors(include_url=False)]
    return (
        f"{'; '.join(reasons)}; correct {'it' if len(reasons) == 1 else 'them'} in the environment or .env."
    )


def _reason(wrong: ErrorDetails) -> str:
    reason = REASONS.get(wrong["type"], wrong["msg"].removeprefix("Value error, "))
    if not wrong["loc"]:
        return reason
    field = str(wrong["loc"][0])
    reason = reason.replace("Input should be", "must be")
    shown = f" (it is {str(wrong['input'])[:80]!r})" if all_settings().model_fields[field].repr else ""
    return f"{field.upper()} {reason}{shown}"
