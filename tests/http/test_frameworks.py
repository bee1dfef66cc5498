"""What is used of uvicorn beyond its documentation, name by name, and that nothing is of the frameworks."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.supervisors import Multiprocess

from core.server.protocol import Cycle
from core.server.serve import Supervisor
from tests.http.wire import connected

ROOT = Path(__file__).resolve().parents[2]
INNER = {"uvicorn._types", "uvicorn.protocols.http.flow_control", "uvicorn.protocols.http.httptools_impl"}
PUBLIC_OF_UVICORN = {"uvicorn", "uvicorn.config", "uvicorn.supervisors"}
UNDOCUMENTED = ("fastapi.dependencies", "fastapi.routing._", "starlette.middleware.gzip.", "starlette._")

METHODS: dict[type, dict[str, list[str]]] = {
    HttpToolsProtocol: {
        "connection_made": ["transport"],
        "connection_lost": ["exc"],
        "data_received": ["data"],
        "eof_received": [],
        "pause_writing": [],
        "resume_writing": [],
        "on_message_begin": [],
        "on_url": ["url"],
        "on_header": ["name", "value"],
        "on_headers_complete": [],
        "on_body": ["body"],
        "on_message_complete": [],
        "on_response_complete": [],
        "_start_asgi_task": ["cycle", "app"],
    },
    RequestResponseCycle: {
        "__init__": [
            "scope",
            "transport",
            "flow",
            "logger",
            "access_logger",
            "access_log",
            "default_headers",
            "message_event",
            "expect_100_continue",
            "keep_alive",
            "on_response",
        ],
        "receive": [],
        "send": ["message"],
    },
    FlowControl: {"__init__": ["transport"], "pause_reading": [], "resume_reading": []},
    Multiprocess: {"__init__": ["config", "sockets"], "run": [], "terminate_all": [], "join_all": []},
}
OF_A_CONNECTION = (
    "access_logger",
    "app",
    "client",
    "cycle",
    "expect_100_continue",
    "flow",
    "headers",
    "logger",
    "loop",
    "parser",
    "pipeline",
    "scope",
    "server_state",
    "timeout_keep_alive",
    "transport",
    "url",
)
OF_A_REQUEST = (
    "disconnected",
    "keep_alive",
    "message_event",
    "more_body",
    "response_complete",
    "response_started",
)


@pytest.mark.parametrize(
    ("owner", "name"), [(owner, name) for owner, names in METHODS.items() for name in names]
)
def test_methods_are_where_they_were(owner: type, name: str) -> None:
    parameters = list(inspect.signature(getattr(owner, name)).parameters)
    assert parameters == ["self", *METHODS[owner][name]]


async def test_attributes_are_where_they_were() -> None:
    async with connected(lambda scope, receive, send: receive()) as connection:  # type: ignore[arg-type, return-value]
        protocol = connection.protocol
        assert [name for name in OF_A_CONNECTION if not hasattr(protocol, name)] == []
        protocol.data_received(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert isinstance(protocol.cycle, Cycle)
        assert [name for name in OF_A_REQUEST if name not in vars(protocol.cycle)] == []


def test_the_supervisor_keeps_its_lists() -> None:
    source = inspect.getsource(Multiprocess.__init__)
    for name in ("sockets", "processes", "signal_queue"):
        assert f"self.{name}" in source
    assert set(vars(Supervisor)) >= {"terminate_all", "join_all"}


def imported() -> Iterator[tuple[str, str]]:
    """Each file with each dotted name that it imports."""
    for folder in ("core", "features"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Import):
                    yield from ((str(file.relative_to(ROOT)), each.name) for each in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    for each in node.names:
                        yield str(file.relative_to(ROOT)), f"{node.module}.{each.name}"


def test_only_the_connection_reaches_into_the_server() -> None:
    allowed = {"core/server/protocol.py": INNER | PUBLIC_OF_UVICORN}
    wrong = [
        f"{file}: {name}"
        for file, name in imported()
        if name.split(".")[0] == "uvicorn"
        and not {name, name.rpartition(".")[0]} & allowed.get(file, PUBLIC_OF_UVICORN)
    ]
    assert wrong == []


def test_nobody_reaches_into_the_frameworks() -> None:
    wrong = [f"{file}: {name}" for file, name in imported() if name.startswith(UNDOCUMENTED)]
    wrong += [
        f"{file}: {name}"
        for file, name in imported()
        if name.split(".")[0] in {"fastapi", "starlette"} and any(part[0] == "_" for part in name.split("."))
    ]
    assert wrong == []
