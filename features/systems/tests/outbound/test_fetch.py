"""One GET: what counts as an answer, what ends it, and where it never goes."""

import socket
import ssl
from typing import Any

import pytest

from features.systems.outbound import network
from features.systems.outbound.fetch import Broken, Unreachable
from features.systems.tests.outbound.support import Connector, Names, fetcher
from tests.fixtures.sites import Site, StartSite, http


@pytest.mark.parametrize("status", [200, 204, 304, 300, 404, 500, 503])
async def test_the_last_status_is_the_answer(site: Site, status: int) -> None:
    site.answers["/health?full=1"] = http(status, b"")
    answer = await fetcher(site).get(site.url("/health?full=1#part"))
    assert answer.status == status
    assert 0 < answer.seconds < 5
    [head] = site.heads
    assert head.startswith("GET /health?full=1 HTTP/1.1\r\n")
    assert f"Host: {site.address}\r\n" in head


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "0x7f.0.0.1",
        "2130706433",
        "017700000001",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
    ],
)
async def test_this_machine_is_not_fetched_however_it_is_written(site: Site, host: str) -> None:
    with pytest.raises(Unreachable):
        await fetcher().get(site.url(host=host))
    assert site.connections == 0


async def test_open_closed_and_unknown_look_alike(site: Site, start_site: StartSite) -> None:
    """Whoever gave the URL does not learn whether something listens inside."""
    names = Names(inside_example=[["10.0.0.1"]])
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        literal = [site.url(), f"http://127.0.0.1:{port}/", "http://a..b/", f"http://{'x' * 64}.example/"]
        named = ["http://inside.example/", "http://unknown.example/"]
        told = set()
        for asking, urls in ((fetcher(), literal), (fetcher(resolve=names), named)):
            for url in urls:
                with pytest.raises(Unreachable) as caught:
                    await asking.get(url)
                told.add(str(caught.value))
    assert told == {"Cannot be reached, or at an internal address that HEALTHCHECK_ALLOW must name"}
    assert site.connections == 0


async def test_nothing_listening_is_unreachable(site: Site) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(Unreachable):
            await fetcher(allow=[address]).get(f"http://{address}/")


async def test_a_name_is_resolved_once_and_that_address_is_connected_to(site: Site) -> None:
    """A name that leads inside when it is asked again (DNS rebinding) is not asked again."""
    names = Names(rebinding_example=[["127.0.0.1"], ["10.0.0.1"]])
    answer = await fetcher(site, resolve=names).get(site.url(host="rebinding.example"))
    assert answer.status == 200
    assert names.asked == ["rebinding.example"]
    assert f"Host: rebinding.example:{site.port}\r\n" in site.heads[0]
    with pytest.raises(Unreachable):
        await fetcher(site, resolve=names).get(site.url(host="rebinding.example"))
    assert site.connections == 1


async def test_of_several_addresses_only_public_ones_are_tried() -> None:
    addresses = ["10.0.0.1", "93.184.216.34", "::1", "2606:2800::1", "169.254.169.254"]
    connector = Connector(closed=["93.184.216.34"])
    names = Names(mixed_example=[addresses])
    answer = await fetcher(resolve=names, connector=connector).get("http://mixed.example:8080/")
    assert answer.status == 200
    assert connector.addresses == [("93.184.216.34", 8080), ("2606:2800::1", 8080)]


async def test_of_very_many_addresses_four_are_tried() -> None:
    addresses = [f"93.184.216.{number}" for number in range(1, 60)]
    connector = Connector(closed=addresses)
    with pytest.raises(Unreachable):
        await fetcher(resolve=Names(many_example=[addresses]), connector=connector).get(
            "http://many.example/"
        )
    assert [address for address, _ in connector.addresses] == addresses[:4]


async def test_tls_is_for_the_name_and_is_verified() -> None:
    connector = Connector()
    names = Names(secure_example=[["93.184.216.34"]])
    answer = await fetcher(resolve=names, connector=connector).get("https://secure.example/")
    assert answer.status == 200
    assert connector.addresses == [("93.184.216.34", 443)]
    [(name, context)] = connector.tls
    assert name == "secure.example"
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


async def test_what_does_not_speak_tls_is_broken(site: Site) -> None:
    site.greeting = http(200)
    with pytest.raises(Broken, match="secure connection"):
        await fetcher(site).get(site.url().replace("http:", "https:"))


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(site: Site, start_site: StartSite, code: int) -> None:
    other = await start_site()
    site.answers |= {"/": http(code, location="/next"), "/next": http(code, location=other.url("/end"))}
    other.answers["/end"] = http(418)
    answer = await fetcher(site, other).get(site.url())
    assert answer.status == 418
    assert (site.connections, other.connections) == (2, 1)


async def test_each_hop_is_judged(site: Site, start_site: StartSite) -> None:
    inside = await start_site()
    for target in (inside.url(), inside.url(host="localhost"), f"//127.0.0.1:{inside.port}/"):
        site.answers["/"] = http(302, location=target)
        with pytest.raises(Unreachable):
            await fetcher(site).get(site.url())
    assert inside.connections == 0
    assert site.connections == 3


async def test_a_name_that_redirects_to_itself_is_resolved_and_judged_again(site: Site) -> None:
    names = Names(rebinding_example=[["127.0.0.1"], ["10.0.0.1"]])
    site.answers["/"] = http(302, location="/again")
    with pytest.raises(Unreachable):
        await fetcher(site, resolve=names).get(site.url(host="rebinding.example"))
    assert names.asked == ["rebinding.example"] * 2
    assert site.connections == 1


@pytest.mark.parametrize(
    "location",
    [
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_INFO",
        "http://user:secret@127.0.0.1/",
        "http://127.0.0.1:70000/",
        "http://[::1",
        "http://\x7f/",
    ],
)
async def test_a_redirect_to_no_fetchable_url_is_broken(site: Site, location: str) -> None:
    site.answers["/"] = http(302, location=location)
    with pytest.raises(Broken, match="Redirects to what cannot be fetched"):
        await fetcher(site).get(site.url())
    assert site.connections == 1


async def test_five_redirects_are_followed_and_no_more(site: Site) -> None:
    for number in range(5):
        site.answers[f"/{number}"] = http(302, location=f"/{number + 1}")
    assert (await fetcher(site).get(site.url("/0"))).status == 200
    site.answers["/5"] = http(302, location="/6")
    with pytest.raises(Broken, match="more than 5 times"):
        await fetcher(site).get(site.url("/0"))
    assert site.connections == 12


async def test_a_loop_ends(site: Site) -> None:
    site.answers["/"] = http(302, location="/")
    with pytest.raises(Broken, match="more than 5 times"):
        await fetcher(site).get(site.url())
    assert site.connections == 6


async def test_a_redirect_without_a_place_is_an_answer(site: Site) -> None:
    site.answers["/"] = http(302)
    assert (await fetcher(site).get(site.url())).status == 302


@pytest.mark.parametrize(
    "url", ["ftp://site.example/", "http://", "site.example", "http://u@site.example/", ""]
)
async def test_what_is_no_url_to_fetch_is_broken(url: str) -> None:
    with pytest.raises(Broken, match="Has no URL to fetch"):
        await fetcher().get(url)


@pytest.mark.parametrize("sent", [b"", b"HELLO\r\n\r\n", b"HTTP/1.1 200 OK\r\n", http(200, b"short")[:-2]])
async def test_what_ends_too_early_or_is_not_http_is_broken(site: Site, sent: bytes) -> None:
    site.answers["/"] = sent
    with pytest.raises(Broken, match="without a complete HTTP answer"):
        await fetcher(site).get(site.url())


async def test_proxies_of_the_environment_are_not_used(
    site: Site, start_site: StartSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = await start_site()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url())
    assert (await fetcher(site).get(site.url())).status == 200
    assert (site.connections, proxy.connections) == (1, 0)


async def test_a_host_that_is_listed_may_be_fetched_by_its_name(site: Site) -> None:
    allowing = fetcher(allow=[f"localhost:{site.port}"])
    assert (await allowing.get(site.url(host="localhost"))).status == 200
    with pytest.raises(Unreachable):
        await allowing.get(site.url())
    assert site.connections == 1


async def test_the_systems_resolver_gives_addresses() -> None:
    assert "127.0.0.1" in await network.resolve("localhost", 80)
    with pytest.raises((OSError, UnicodeError)):
        await network.resolve("name.invalid", 80)


async def test_a_refusal_is_logged_for_the_operator(logs: list[dict[str, Any]]) -> None:
    with pytest.raises(Unreachable):
        await fetcher(resolve=Names(inside_example=[["10.0.0.1"]])).get("http://inside.example/")
    [event] = [entry for entry in logs if entry["event"] == "outbound.refused"]
    assert (event["host"], event["addresses"]) == ("inside.example", ["10.0.0.1"])
