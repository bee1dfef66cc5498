"""Settings: what the variables mean, how a bad one is answered, and that .env.example tells the truth."""

import re
from pathlib import Path

import pytest

from core.settings import SettingsError, SliceSettings, all_settings, load_settings

EXAMPLE = Path(__file__).resolve().parents[1] / ".env.example"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the environment nor an .env file of the person who runs the tests."""
    for field in all_settings().model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def documented() -> dict[str, str]:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_variable_is_documented() -> None:
    names = {field.upper() for field in all_settings().model_fields}
    assert set(documented()) == names, (
        ".env.example: add what is missing, with its default and a comment over it"
    )


def test_no_two_have_one_name() -> None:
    """Of the parts of slices and the core's own."""
    _, *parts, _, _ = all_settings().__mro__
    names = [name for part in parts for name in part.__annotations__]
    assert "audit_retention_days" in names
    assert sorted(names) == sorted(set(names))


def test_only_the_part_of_a_slice_can_be_asked_for() -> None:
    class Unknown(SliceSettings):
        anything: int = 0

    with pytest.raises(AssertionError, match="Unknown is in no settings"):
        load_settings().of(Unknown)


def test_documented_defaults_are_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = load_settings()
    for name, value in documented().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == defaults


def test_every_variable_is_explained() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=# ---)|\n\n", text)
    for name in documented():
        block = next(block for block in blocks if re.search(rf"^{name}=", block, re.MULTILINE))
        assert re.search(rf"^# .+\n(?:#.*\n|[A-Z_]+=.*\n)*{name}=", block, re.MULTILINE), name


def test_the_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=9001\nWORKERS=3\nUNKNOWN=1\n")
    monkeypatch.setenv("PORT", "9002")
    settings = load_settings()
    assert (settings.port, settings.workers) == (9002, 3)


def test_an_empty_value_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "DATABASE_URL", "REDIS_URL", "CORS_ORIGINS"):
        monkeypatch.setenv(name, "")
    assert load_settings() == all_settings()()
    assert load_settings().uses_redis


def test_lists_sizes_and_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example, https://b.example,")
    monkeypatch.setenv("MAX_BODY_BYTES", "2MiB")
    monkeypatch.setenv("DATA_DIR", "elsewhere")
    monkeypatch.setenv("LOG_LEVEL", "WARNING")
    settings = load_settings()
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.max_body_bytes == 2 * 1024 * 1024
    assert settings.data_dir == tmp_path / "elsewhere"
    assert settings.log_level == "warning"


def test_memory_means_no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "memory")
    assert not load_settings().uses_redis


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "http", "PORT must be a whole number (it is 'http')"),
        ("PORT", "70000", "PORT must be less than or equal to 65535"),
        ("WORKERS", "0", "WORKERS must be greater than or equal to 1"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL must be 'debug', 'info', 'warning' or 'error'"),
        ("MAX_BODY_BYTES", "big", "MAX_BODY_BYTES must be a number of bytes"),
        ("DATABASE_URL", "mysql://localhost/ideas", "DATABASE_URL must start with postgresql://"),
        ("DATABASE_URL", "postgresql://localhost", "DATABASE_URL must name a database"),
        ("DATABASE_URL", "postgresql://localhost:port/ideas", "DATABASE_URL is not a valid URL"),
        ("DATABASE_URL", "postgresql://a:1,b:2/ideas", "DATABASE_URL names several hosts"),
        ("DATABASE_URL", "postgresql:///ideas?host=a,b", "DATABASE_URL names several hosts"),
        ("DATABASE_URL", "postgresql://a/ideas?schema=x", "DATABASE_URL has the parameter schema, which"),
        (
            "DATABASE_URL",
            "postgresql://a/ideas?sslmode=on",
            "DATABASE_URL has an sslmode that does not exist",
        ),
        ("DATABASE_URL", "postgresql://a/i?sslmode=verify-ca", "DATABASE_URL must name the authority's"),
        ("DATABASE_URL", "postgresql://a/i?sslrootcert=/x", "DATABASE_URL has certificates but no sslmode"),
        ("DATABASE_URL", "postgresql://a/i?sslmode=require&sslkey=/none", "DATABASE_URL names a file with"),
        ("DATABASE_DIRECT_URL", "mysql://a/ideas", "DATABASE_DIRECT_URL must start with postgresql://"),
        ("DATABASE_DIRECT_URL", "postgresql://a/ideas", "DATABASE_DIRECT_URL is another way to DATABASE_URL"),
        ("REDIS_URL", "http://localhost", "REDIS_URL must start with redis://"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,proxy", "TRUSTED_PROXIES must list addresses"),
        ("HEALTHCHECK_ALLOW", "10.0.0.0/8,intranet:0", "HEALTHCHECK_ALLOW must list hosts"),
        ("WEBHOOK_ALLOW", "10.0.0.0/8,intranet:0", "WEBHOOK_ALLOW must list hosts"),
        ("AUDIT_RETENTION_DAYS", "-1", "AUDIT_RETENTION_DAYS must be greater than or equal to 0"),
        ("AUTH", "passwords", "AUTH must be 'off' or 'keys'"),
        ("ADMIN_PORT", "8000", "ADMIN_PORT must be another port than PORT"),
        ("JOB_HEARTBEAT_S", "10", "JOB_HEARTBEAT_S must be at most half of JOB_LEASE_S"),
    ],
)
def test_a_bad_value_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = str(caught.value)
    assert message.startswith(sentence)
    assert message.endswith("correct it in the environment or .env.")
    assert "\n" not in message


def test_all_that_is_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("PORTS=8001\nWORKRES=2\n")
    for name, value in (("PORT", "web"), ("WORKERS", "0"), ("CACHE_MAX_BYTES", "lots")):
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == (
        "PORTS in the file .env is no setting; did you mean PORT? "
        "WORKRES in the file .env is no setting; did you mean WORKERS? "
        "PORT must be a whole number (it is 'web'); WORKERS must be greater than or equal to 1 (it is '0'); "
        "CACHE_MAX_BYTES must be a number of bytes, such as 1048576 or 1MiB (it is 'lots'); "
        "correct them in the environment or .env."
    )


@pytest.mark.parametrize("raw", ["@", "/", "?", "#", ":", "%", "/?a=", "1/2?b&c="])
@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_DIRECT_URL"])
def test_a_password_with_raw_characters_is_told_as_such_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, raw: str
) -> None:
    monkeypatch.setenv(name, f"postgresql://user:se{raw}same@host.example/ideas")
    with pytest.raises(SettingsError, match="write @ as %40") as caught:
        load_settings()
    assert not re.search("se[^ ]*same|user:", str(caught.value))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("WORKRES", "WORKERS"),
        ("workres", "WORKERS"),
        ("DATABASE_ULR", "DATABASE_URL"),
        ("DB_STATEMENT_TIMEOUT_MS", "DB_STATEMENT_TIMEOUT_S"),
        ("RATELIMIT_MAX", "RATE_LIMIT_MAX"),
        ("TRUSTED_PROXYS", "TRUSTED_PROXIES"),
        ("POR", "PORT"),
        ("AUDIT_RETENTION_DAY", "AUDIT_RETENTION_DAYS"),
    ],
)
def test_a_misspelt_name_in_the_file_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "3")  # in the environment it may be anybody's
    load_settings()
    (tmp_path / ".env").write_text(f"{name}=3\n")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == f"{name} in the file .env is no setting; did you mean {meant}?"


def test_names_of_others_in_the_file_are_left_alone(tmp_path: Path) -> None:
    names = ("AWS_REGION", "OTEL_LOG_LEVEL", "POSTGRES_PASSWORD", "TEST_DATABASE_URL", "PGPORT", "DB_NAME")
    near = ("DATABASE_USER", "DATABASE_URL_TEST", "DATA_URL", "COMPOSE_PROJECT_NAME")
    (tmp_path / ".env").write_text("".join(f"{name}=3\n" for name in (*names, *near)))
    assert load_settings() == all_settings()()


def test_an_unreadable_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"PORT=\xff\xfe")
    with pytest.raises(SettingsError, match=r"The file \.env cannot be read"):
        load_settings()


def test_passwords_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://user:sesame@localhost/ideas")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "sesame" not in str(caught.value)
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:sesame@localhost/ideas")
    assert "sesame" not in repr(load_settings())
