"""What every request gets: an id, a time, a log event, a count, careful headers."""

import json
import re
from typing import Any

import httpx
import pytest
import structlog
from pydantic import ValidationError

from core.http.request.middleware import ClientResolver
from core.observability.metrics import scrape
from tests.http.probe import settings_for_probe

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def request_event(client: httpx.AsyncClient, method: str, path: str, **options: Any) -> Any:
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logs:
        await client.request(method, path, **options)
    found = [entry for entry in logs if entry["event"] == "http.request"]
    assert len(found) == 1, logs
    return found[0]


class TestRequestId:
    async def test_made_when_there_is_none(self, probe: httpx.AsyncClient) -> None:
        first, second = [(await probe.get("/probe/ok")).headers["x-request-id"] for _ in range(2)]
        assert UUID.fullmatch(first)
        assert first != second

    async def test_accepted_and_returned(self, probe: httpx.AsyncClient) -> None:
        response = await probe.get("/probe/actor", headers={"x-request-id": "From-client_1.2"})
        assert response.headers["x-request-id"] == "From-client_1.2"
        assert response.json()["request_id"] == "From-client_1.2"

    @pytest.mark.parametrize("given", ["a b", "x" * 129, "", "a\tb", "<script>", "é"])
    async def test_anything_else_is_replaced(self, probe: httpx.AsyncClient, given: str) -> None:
        response = await probe.get("/probe/ok", headers={b"x-request-id": given.encode()})
        assert UUID.fullmatch(response.headers["x-request-id"])


class TestActor:
    @pytest.mark.parametrize(
        ("given", "name"),
        [
            (b"ada", "ada"),
            (b"  ada  ", "ada"),
            (b"", "anonymous"),
            ("José".encode(), "José"),
            (b"x" * 128, "x" * 128),
            (("é" * 128).encode(), "é" * 128),
        ],
    )
    async def test_names(self, probe: httpx.AsyncClient, given: bytes, name: str) -> None:
        response = await probe.get("/probe/actor", headers={b"x-user-id": given})
        assert response.json()["name"] == name

    async def test_absent(self, probe: httpx.AsyncClient) -> None:
        assert (await probe.get("/probe/actor")).json()["name"] == "anonymous"

    @pytest.mark.parametrize("given", [b"x" * 129, b"a\x07b", "a\u200bb".encode(), b"x" * 3000])
    async def test_refused(self, probe: httpx.AsyncClient, given: bytes) -> None:
        response = await probe.get("/probe/actor", headers={b"x-user-id": given})
        assert response.status_code == 400
        assert response.json()["details"][0]["field"] == "x-user-id"


class TestHeaders:
    async def test_security_headers_on_every_answer(self, probe: httpx.AsyncClient) -> None:
        for path in ("/probe/ok", "/nowhere", "/probe/crash"):
            headers = (await probe.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "no-referrer"
            assert "default-src 'none'" in headers["content-security-policy"]

    async def test_server_timing(self, probe: httpx.AsyncClient) -> None:
        timing = (await probe.get("/probe/ok")).headers["server-timing"]
        assert re.fullmatch(r'db;dur=0\.00;desc="0 queries", app;dur=\d+\.\d\d', timing)


class TestHead:
    @pytest.mark.parametrize("path", ["/probe/ok", "/probe/big", "/probe/lines?count=3", "/nowhere"])
    async def test_same_head_as_get_and_no_body(self, probe: httpx.AsyncClient, path: str) -> None:
        get, head = await probe.get(path), await probe.head(path)
        assert head.status_code == get.status_code
        assert head.content == b""
        assert head.headers.get("content-length") == get.headers.get("content-length")
        assert head.headers.get("content-type") == get.headers.get("content-type")

    async def test_endless_stream_ends(self, probe: httpx.AsyncClient) -> None:
        assert (await probe.head("/probe/endless")).status_code == 200

    async def test_is_counted_and_logged_as_head(self, probe: httpx.AsyncClient) -> None:
        assert (await request_event(probe, "HEAD", "/probe/ok"))["method"] == "HEAD"


class TestTrailingSlash:
    async def test_means_nothing(self, probe: httpx.AsyncClient) -> None:
        assert (await probe.get("/probe/ok/")).json() == {"hello": "there"}
        assert (await probe.post("/probe/things/", json={"title": "a"})).status_code == 201

    async def test_escaped_one_belongs_to_the_path(self, probe: httpx.AsyncClient) -> None:
        assert (await probe.get("/probe/ok%2F")).status_code == 404


class TestAccessEvent:
    async def test_one_event_with_the_facts(self, probe: httpx.AsyncClient) -> None:
        path = "/probe/things/some%20name"
        event = await request_event(probe, "GET", f"{path}?limit=3", headers={"x-request-id": "r1"})
        assert event.pop("ms") > 0
        assert event == {
            "event": "http.request",
            "log_level": "info",
            "method": "GET",
            "route": "/probe/things/{name}",
            "path": "/probe/things/some name",
            "status": 200,
            "queries": 0,
            "client": "192.0.2.1",
            "request_id": "r1",
        }

    async def test_faults_of_the_server_are_warnings(self, probe: httpx.AsyncClient) -> None:
        assert (await request_event(probe, "GET", "/probe/crash"))["log_level"] == "warning"

    async def test_nothing_of_a_request_leaks_into_what_follows(self, probe: httpx.AsyncClient) -> None:
        await probe.get("/probe/ok", headers={"x-request-id": "gone"})
        assert "request_id" not in structlog.contextvars.get_contextvars()


class TestMetrics:
    def count(self, **labels: str) -> float:
        wanted = ",".join(f'{name}="{labels[name]}"' for name in ("method", "route", "status"))
        pattern = rf"^tradingsystem_http_requests_total{{{re.escape(wanted)}}} (\S+)$"
        found = re.search(pattern, scrape().decode(), re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    async def test_labelled_with_the_route_template(self, probe: httpx.AsyncClient) -> None:
        before = self.count(method="GET", route="/probe/things/{name}", status="200")
        await probe.get("/probe/things/one")
        await probe.get("/probe/things/two")
        assert self.count(method="GET", route="/probe/things/{name}", status="200") == before + 2
        assert b"/probe/things/one" not in scrape()

    async def test_unknown_methods_and_routes_are_one_label_each(self, probe: httpx.AsyncClient) -> None:
        before = self.count(method="OTHER", route="unmatched", status="404")
        await probe.request("BREW", "/coffee")
        await probe.request("PROPFIND", "/tea")
        assert self.count(method="OTHER", route="unmatched", status="404") == before + 2
        text = scrape()
        assert b"BREW" not in text
        assert b"/coffee" not in text

    async def test_duration_has_the_same_labels(self, probe: httpx.AsyncClient) -> None:
        await probe.get("/probe/ok")
        labels = 'method="GET",route="/probe/ok",status="200"'
        assert f"tradingsystem_http_request_duration_seconds_count{{{labels}}}" in scrape().decode()

    def test_process_figures(self) -> None:
        text = scrape().decode()
        assert re.search(r'^process_cpu_seconds_total\{pid="\d+"\} \d', text, re.MULTILINE)
        assert re.search(r'^process_resident_memory_bytes\{pid="\d+"\} \d', text, re.MULTILINE)


class TestClientAddress:
    @pytest.mark.parametrize(
        ("peer", "forwarded", "client"),
        [
            ("192.0.2.1", None, "192.0.2.1"),
            ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
            ("10.0.0.9", "198.51.100.7", "198.51.100.7"),
            ("10.0.0.9", "1.2.3.4, 198.51.100.7", "198.51.100.7"),
            ("10.0.0.9", "1.2.3.4, 198.51.100.7, 10.0.0.3", "198.51.100.7"),
            ("10.0.0.9", "10.0.0.1, 10.0.0.3", "10.0.0.1"),
            ("10.0.0.9", "198.51.100.7:4711", "198.51.100.7"),
            ("10.0.0.9", "[2001:db8::5]:4711", "2001:db8::5"),
            ("10.0.0.9", "198.51.100.7, nonsense", "10.0.0.9"),
            ("10.0.0.9", "", "10.0.0.9"),
            ("::ffff:10.0.0.9", "198.51.100.7", "198.51.100.7"),
        ],
    )
    def test_only_trusted_proxies_are_believed(self, peer: str, forwarded: str | None, client: str) -> None:
        headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded is not None else []
        scope = {"type": "http", "client": (peer, 1), "headers": headers}
        assert ClientResolver(["10.0.0.0/8"]).resolve(scope) == client

    def test_what_is_no_network_is_refused_at_the_start(self) -> None:
        with pytest.raises(ValidationError, match="networks such as"):
            settings_for_probe(trusted_proxies="10.0.0.0/8, 10.0.0.0/99")

    def test_several_header_lines_are_one_list(self) -> None:
        headers = [(b"x-forwarded-for", b"1.2.3.4"), (b"x-forwarded-for", b"198.51.100.7")]
        scope = {"type": "http", "client": ("10.0.0.9", 1), "headers": headers}
        assert ClientResolver(["10.0.0.9"]).resolve(scope) == "198.51.100.7"

    def test_unix_socket(self) -> None:
        scope = {"type": "http", "client": None, "headers": [(b"x-forwarded-for", b"198.51.100.7")]}
        assert ClientResolver([]).resolve(scope) == "unix"
        assert ClientResolver(["unix"]).resolve(scope) == "198.51.100.7"


NO_GZIP = (
    "",
    "identity",
    "gzip;q=0",
    "gzip; q=0.0, br",
    "GZIP;Q=0",
    "gzip\t; q = 0",
    "*, gzip;q=0",
    "*;q=0",
    "gzip, x-gzip;q=0",
    "gzip;q=0.5, identity",
    "gzip;q=2",
    "gzip;q=-1",
    "gzip;q=.5",
    "gzip;q=1e0",
    "gzip;q=nan",
    "gzip;level=9",
    "notgzip, gzipped",
)
GZIP = (
    "gzip",
    "GZip",
    "x-gzip",
    "*",
    "br;q=1.0, gzip;q=0.8, *;q=0.1",
    "gzip ; q=0.001",
    "deflate,gzip;q=1.000",
    "\tgzip\t;\tQ\t=\t1.",
    "identity;q=0.5, *",
    ", ,gzip",
)


class TestCompression:
    @pytest.mark.parametrize("accepted", GZIP)
    async def test_large_answers_when_accepted(self, probe: httpx.AsyncClient, accepted: str) -> None:
        response = await probe.get("/probe/big", headers={"accept-encoding": accepted})
        assert response.headers["content-encoding"] == "gzip"
        assert int(response.headers["content-length"]) < 1000
        assert response.json()["text"].startswith("many words")
        assert "Accept-Encoding" in response.headers["vary"]

    @pytest.mark.parametrize("accepted", NO_GZIP)
    async def test_not_when_refused(self, probe: httpx.AsyncClient, accepted: str) -> None:
        response = await probe.get("/probe/big", headers={"accept-encoding": accepted})
        assert "content-encoding" not in response.headers
        assert "Accept-Encoding" in response.headers["vary"]

    async def test_small_answers_stay(self, probe: httpx.AsyncClient) -> None:
        response = await probe.get("/probe/ok", headers={"accept-encoding": "gzip"})
        assert "content-encoding" not in response.headers

    async def test_streams_are_compressed_and_their_tag_is_weak(self, probe: httpx.AsyncClient) -> None:
        response = await probe.get("/probe/lines?count=2000", headers={"accept-encoding": "gzip"})
        assert response.headers["content-encoding"] == "gzip"
        assert response.headers["etag"] == 'W/"1"'
        assert [json.loads(line)["line"] for line in response.text.splitlines()] == list(range(2000))

    async def test_event_streams_are_left_alone(self, probe: httpx.AsyncClient) -> None:
        response = await probe.get("/probe/events", headers={"accept-encoding": "gzip"})
        assert response.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in response.headers
