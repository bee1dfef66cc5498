"""What the log says, and in which form."""

import json
import logging
import re
from collections.abc import Iterator

import pytest
import structlog

from core.observability.logging import LINE, configure, flush
from tests.http.probe import settings_for_probe


@pytest.fixture(autouse=True)
def own_configuration() -> Iterator[None]:
    flush()  # what earlier tests left is not for those who read the log here
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    configure(settings_for_probe(log_format="json"))
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.strip().splitlines()


def test_json_lines_with_fields_and_context(capsys: pytest.CaptureFixture[str]) -> None:
    configure(settings_for_probe(log_format="json"))
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger().info("probe.happened", rows=3)
    (line,) = lines(capsys)
    event = json.loads(line)
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "probe.happened", "rows": 3, "request_id": "r1", "level": "info"}


def test_other_libraries_look_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    configure(settings_for_probe(log_format="json"))
    logging.getLogger("uvicorn.error").warning("port %d is slow", 80)
    (line,) = lines(capsys)
    event = json.loads(line)
    assert (event["event"], event["level"], event["logger"]) == (
        "port 80 is slow",
        "warning",
        "uvicorn.error",
    )


def test_tracebacks_are_text_without_local_values(capsys: pytest.CaptureFixture[str]) -> None:
    password = "hunter2"
    for form in ("json", "text"):
        configure(settings_for_probe(log_format=form))
        try:
            raise ValueError(f"length {len(password)}")
        except ValueError:
            structlog.get_logger().exception("probe.failed")
        text = capsys.readouterr().err
        assert "ValueError: length 7" in text
        assert "Traceback" in text
        assert "hunter2" not in text


def test_text_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure(settings_for_probe(log_format="text"))
    structlog.get_logger().info("probe.happened", rows=3)
    (line,) = lines(capsys)
    assert "probe.happened" in line
    assert "rows=3" in line
    assert not line.startswith("{")


def test_people_see_no_results_and_nothing_of_the_banner(capsys: pytest.CaptureFixture[str]) -> None:
    configure(settings_for_probe(log_format="text"))
    log = structlog.get_logger()
    log.info("app.started", features=["items"])
    log.info("job.succeeded", job_kind="probe", result={"rows": 3}, error=None)
    logging.getLogger("uvicorn.error").info("Started server process")
    (line,) = lines(capsys)
    assert re.fullmatch(r"\d\d:\d\d:\d\d \[info\] job.succeeded job_kind=probe", line)


@pytest.mark.parametrize("path", ["/api/items", "/api/items/" + "é" * 90])
@pytest.mark.parametrize("request_id", ["r1", "d461a180-f097-4a25-b79a-5f2ae02167d7", "x" * 128])
def test_a_request_is_one_line_of_a_terminal(
    capsys: pytest.CaptureFixture[str], path: str, request_id: str
) -> None:
    configure(settings_for_probe(log_format="text"))
    fields = {"method": "DELETE", "path": path, "status": 200, "ms": 12345.6, "queries": 12}
    structlog.get_logger().info("http.request", **fields, request_id=request_id)
    (line,) = lines(capsys)
    assert len(line) <= LINE
    assert re.fullmatch(r"[\d:]{8} DELETE /api/items\S* 200 12346 ms 12q (r1|d461\S{32}|x+…)", line)


@pytest.mark.parametrize(
    ("path", "reason", "told"),
    [
        ("/api/items", "title: must not be empty", " title: must not be empty"),
        ("/api/items", "title: " + "must not be empty" * 9, r" title: must not be \S+…"),
        ("/api/items", "a\nb\x1b[2J", r" a\?b\?\[2J"),
        ("/api/items/" + "x" * 90, "title: must not be empty", ""),
    ],
)
def test_a_refused_request_says_why_where_there_is_room(
    capsys: pytest.CaptureFixture[str], path: str, reason: str, told: str
) -> None:
    configure(settings_for_probe(log_format="text"))
    fields = {"method": "POST", "path": path, "status": 400, "ms": 2.5, "queries": 0, "reason": reason}
    request_id = "d461a180-f097-4a25-b79a-5f2ae02167d7"
    structlog.get_logger().info("http.request", **fields, request_id=request_id)
    (line,) = lines(capsys)
    assert len(line) <= LINE
    assert re.fullmatch(rf"[\d:]{{8}} POST /api/items\S* 400 2 ms 0q {request_id}{told}", line)


def test_what_informs_is_one_line_and_what_warns_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    configure(settings_for_probe(log_format="text"))
    job = {"job_id": "d461a180-f097-4a25-b79a-5f2ae02167d7", "job_kind": "import.postgres", "done": 12}
    rest = {f"field_{number}": "a value" for number in range(20)}
    structlog.get_logger().info("job.succeeded", **job, **rest)
    structlog.get_logger().warning("job.failed", **job, **rest)
    informs, warns = lines(capsys)
    assert len(informs) <= LINE
    assert "done=12 job_id=d461a180… job_kind=import.postgres" in informs
    assert "job_id=d461a180-f097-4a25-b79a-5f2ae02167d7" in warns
    assert "field_19='a value'" in warns


@pytest.mark.parametrize("error", ["Answered with status 500", "Cannot be reached, or " + "it may not " * 9])
def test_what_informs_of_a_failure_says_why_before_all_else(
    capsys: pytest.CaptureFixture[str], error: str
) -> None:
    configure(settings_for_probe(log_format="text"))
    ids = {
        "webhook_id": "d461a180-f097-4a25-b79a-5f2ae02167d7",
        "delivery_id": "msg_" + "0123456789abcdef" * 2,
    }
    structlog.get_logger().info("webhooks.attempt_failed", **ids, address="x" * 90, status=500, error=error)
    structlog.get_logger().info("webhooks.redelivered", **ids)
    line, again = lines(capsys)
    assert len(line) <= LINE
    assert f"error='{error[:40]}" in line or f"error='{error}'" in line
    assert len(error) > LINE or "webhook_id=d461a180…" in line
    assert "address" not in line
    assert "delivery_id=msg_01234567…" in again


def test_not_a_terminal_means_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure(settings_for_probe(log_format="auto"))
    structlog.get_logger().info("probe.happened")
    assert json.loads(lines(capsys)[0])["event"] == "probe.happened"


def test_level(capsys: pytest.CaptureFixture[str]) -> None:
    configure(settings_for_probe(log_format="json", log_level="warning"))
    structlog.get_logger().info("probe.quiet")
    logging.getLogger("somebody").info("quiet")
    structlog.get_logger().warning("probe.loud")
    assert [json.loads(line)["event"] for line in lines(capsys)] == ["probe.loud"]


def test_what_json_cannot_say_is_logged_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    configure(settings_for_probe(log_format="json"))
    structlog.get_logger().info("probe.odd", text="\ud800", number=10**30, thing=object())
    event = json.loads(lines(capsys)[0])
    assert event["number"] == 10**30
    assert event["text"] == "\ud800"
    assert event["thing"].startswith("<object object")


def test_configuring_again_does_not_double_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure(settings_for_probe(log_format="json"))
    configure(settings_for_probe(log_format="json"))
    structlog.get_logger().info("probe.once")
    logging.getLogger("somebody").warning("once")
    assert len(lines(capsys)) == 2
