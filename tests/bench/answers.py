"""Whether the servers answer alike: only then do their speeds compare."""

import re
from collections.abc import Sequence
from typing import Final

import httpx

from tests.bench.endpoints import READS, SPREAD, WRITES, Endpoints
from tests.bench.load import Request
from tests.bench.servers import Server

COMPARED: Final = 10
"""So many single items are compared."""
SAMPLED: Final = 5
COUNTED: Final = re.compile(r"^handover_database_query_seconds_count\S* (\S+)$", re.MULTILINE)
QUERIES: Final = re.compile(r'desc="(\d+) quer')
CHOSEN: Final = re.compile(rb'"(id|createdAt|updatedAt)":"[^"]*"')
"""What a server chooses when it writes."""


class Different(Exception):
    """Two servers answer differently to the same request."""


async def ask(client: httpx.AsyncClient, request: Request) -> httpx.Response:
    headers = {"Content-Type": "application/json"} if request.body else {}
    content = request.body.encode() or None
    response = await client.request(request.method, request.path, content=content, headers=headers)
    if not response.is_success:
        raise Different(f"{request.method} {request.path} answered {response.status_code}: {response.text}")
    return response


async def ready_bodies(server: Server, measured: Endpoints) -> dict[str, str]:
    """Every answer of the reads, by path and query."""
    async with httpx.AsyncClient(base_url=server.base_url, timeout=30) as client:
        requests = [request for code in READS for request in measured[code]]
        return {request.path: (await ask(client, request)).text for request in requests}


async def compare(reference: Server, others: Sequence[Server], measured: Endpoints) -> None:
    """Byte by byte, but for the values that a server chooses itself: all reads before the first write.

    Raises Different.
    """
    for codes in ((*READS, *SPREAD), WRITES):
        expected = await _bodies(reference, measured, codes)
        for server in others:
            for asked, body in (await _bodies(server, measured, codes)).items():
                if body != expected[asked]:
                    raise Different(
                        f"{server.name} answers {asked} differently from {reference.name}:\n"
                        f"{body[:2000]!r}\n{expected[asked][:2000]!r}"
                    )


async def _bodies(server: Server, measured: Endpoints, codes: Sequence[str]) -> dict[str, bytes]:
    bodies = {}
    async with httpx.AsyncClient(base_url=server.base_url, timeout=30) as client:
        for code in codes:
            requests = measured[code]
            step = len(requests) if code in WRITES else max(1, len(requests) // COMPARED)
            for request in requests[::step] if code in server.endpoints else ():
                body = (await ask(client, request)).content
                found = CHOSEN.sub(rb'"\1":""', body) if code in WRITES else body
                bodies[f"{request.method} {request.path}"] = found
    return bodies


async def queries(server: Server, requests: Sequence[Request]) -> float | None:
    """Queries of a request that comes alone, as `Server-Timing` tells; None when it does not."""
    counts = []
    async with httpx.AsyncClient(base_url=server.base_url, timeout=30) as client:
        sampled = [*requests[:SAMPLED]] * max(1, SAMPLED // len(requests))
        for request in sampled:
            # What can be cached is cached before it is looked at.
            await ask(client, request)
        for request in sampled:
            timing = (await ask(client, request)).headers.get("server-timing")
            if timing is not None:
                found = QUERIES.search(timing)
                counts.append(int(found[1]) if found else 0)
    return sum(counts) / len(counts) if counts else None


async def queries_so_far(server: Server) -> float:
    """Since the server began, as it counts them itself; a yardstick does not count."""
    if not server.has_engine:
        return 0
    async with httpx.AsyncClient(base_url=server.base_url, timeout=30) as client:
        text = (await client.get("/metrics")).text
    return sum(float(count) for count in COUNTED.findall(text))
