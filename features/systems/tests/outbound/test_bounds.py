"""One GET ends: in time, and after so many bytes, whatever the other side does."""

import asyncio
import time

import pytest

from features.systems.outbound.fetch import MAX_BYTES, Broken, TimedOut
from features.systems.tests.outbound.support import Counting, fetcher
from tests.fixtures.sites import Site, http
from tests.fixtures.waiting import wait_for


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\n", http(200, b"")[:-2], http(200)[:-1]])
async def test_an_answer_that_does_not_end_is_given_up(site: Site, sent: bytes) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await reader.read()

    site.answers["/"] = stall
    started = time.monotonic()
    with pytest.raises(TimedOut, match=r"within 0\.3 seconds"):
        await fetcher(site, timeout_s=0.3).get(site.url())
    assert time.monotonic() - started < 3
    await wait_for(lambda: not _open(site))


async def test_an_answer_that_drips_is_given_up(site: Site) -> None:
    """Each byte comes in time; all of them do not."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(200, b"", **{"Content-Length": "100000"}))
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    site.answers["/"] = drip
    with pytest.raises(TimedOut):
        await fetcher(site, timeout_s=0.3).get(site.url())


async def test_all_hops_share_one_limit_of_time(site: Site) -> None:
    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(http(302, location="/"))

    site.answers["/"] = late
    with pytest.raises(TimedOut):
        await fetcher(site, timeout_s=0.5).get(site.url())
    assert site.connections < 5


async def test_a_name_that_is_slow_to_resolve_is_given_up() -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(TimedOut):
        await fetcher(resolve=never, timeout_s=0.2).get("http://slow.example/")


async def _endless(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x" * 4096)
        await writer.drain()


async def test_of_an_endless_body_64_kb_are_read(site: Site) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await _endless(writer)

    site.answers["/"] = answer
    connector = Counting()
    assert (await fetcher(site, connector=connector).get(site.url())).status == 200
    assert connector.read == MAX_BYTES == 64 * 1024
    await wait_for(lambda: not _open(site))


async def test_endless_headers_are_broken(site: Site) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nEndless: ")
        await _endless(writer)

    site.answers["/"] = answer
    connector = Counting()
    with pytest.raises(Broken):
        await fetcher(site, connector=connector).get(site.url())
    assert connector.read <= MAX_BYTES


async def test_all_hops_share_one_limit_of_bytes(site: Site) -> None:
    padding = {f"Padding-{number}": "x" * 5000 for number in range(3)}
    site.answers["/"] = http(302, b"", location="/", **padding)
    connector = Counting()
    with pytest.raises(Broken):
        await fetcher(site, connector=connector).get(site.url())
    assert connector.read <= MAX_BYTES


def _open(site: Site) -> bool:
    return any(not task.done() for task in site.serving)
