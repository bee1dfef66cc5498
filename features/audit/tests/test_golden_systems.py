"""What the trail tells of systems and their checks, entry by entry: a golden test.

Each step is followed by the entries that it leaves. `# today:` marks what looks like a fault.
"""

from inspect import cleandoc
from typing import Any

import httpx

from features.audit.tests.transcript import Transcript
from tests.fixtures.application import RunningApp
from tests.fixtures.sites import Site, http

SYSTEMS = "/api/v1/systems"


def new_system(name: str = "Orders", **changes: object) -> dict[str, Any]:
    return {"name": name, "description": "Takes orders", "status": "online", **changes}


async def test_a_system_with_every_field(client: httpx.AsyncClient) -> None:
    trail = Transcript(client)
    texts = dict.fromkeys(("category", "owner", "version", "icon", "color", "host"), "one")
    body = new_system(
        **texts,
        port=3500,
        type="api",
        url="https://orders.example/",
        tags=["core", "api"],
        metadata={"b": 1.50, "aa": [True, None, {"n": 10}], "big": 2**53 + 1},
    )
    system = await trail.send("POST", SYSTEMS, json=body, status=201, made="system")
    assert await trail.entries() == cleandoc("""
        entity=system entityId=<system 1> action=created user=ada requestId=request-1 client=127.0.0.1
          category: null -> "one"
          color: null -> "one"
          createdAt: null -> "<time 1>"
          description: null -> "Takes orders"
          host: null -> "one"
          icon: null -> "one"
          id: null -> "<system 1>"
          metadata: null -> {"aa": [true, null, {"n": 10}], "b": 1.5, "big": 9007199254740993}
          name: null -> "Orders"
          owner: null -> "one"
          port: null -> 3500
          status: null -> "online"
          tags: null -> ["core", "api"]
          type: null -> "api"
          url: null -> "https://orders.example/"
          version: null -> "one"
        """)
    url = f"{SYSTEMS}/{system['id']}"

    changed = {
        **dict.fromkeys(texts, "two"),
        "name": "Billing",
        "description": "Sends bills",
        "status": "planned",
        "port": 3501,
        "type": "docs",
        "url": "https://billing.example/",
        "tags": ["api"],
        "metadata": {"b": 2},
    }
    await trail.send("PUT", url, json=changed)
    assert await trail.entries() == cleandoc("""
        entity=system entityId=<system 1> action=updated user=ada requestId=request-2 client=127.0.0.1
          category: "one" -> "two"
          color: "one" -> "two"
          description: "Takes orders" -> "Sends bills"
          host: "one" -> "two"
          icon: "one" -> "two"
          metadata: {"aa": [true, null, {"n": 10}], "b": 1.5, "big": 9007199254740993} -> {"b": 2}
          name: "Orders" -> "Billing"
          owner: "one" -> "two"
          port: 3500 -> 3501
          status: "online" -> "planned"
          tags: ["core", "api"] -> ["api"]
          type: "api" -> "docs"
          updatedAt: null -> "<time 2>"
          url: "https://orders.example/" -> "https://billing.example/"
          version: "one" -> "two"
        """)

    empty = {**dict.fromkeys(("port", "type", "metadata", "category", "owner", "version")), "icon": ""}
    await trail.send("PUT", url, json={**empty, "color": " ", "host": "", "url": "", "tags": []})
    assert await trail.entries() == cleandoc("""
        entity=system entityId=<system 1> action=updated user=ada requestId=request-3 client=127.0.0.1
          category: "two" -> null
          color: "two" -> null
          host: "two" -> null
          icon: "two" -> null
          metadata: {"b": 2} -> null
          owner: "two" -> null
          port: 3501 -> null
          tags: ["api"] -> []
          type: "docs" -> null
          updatedAt: "<time 2>" -> "<time 3>"
          url: "https://billing.example/" -> null
          version: "two" -> null
        """)

    await trail.send("DELETE", url)
    assert await trail.entries() == cleandoc("""
        entity=system entityId=<system 1> action=deleted user=ada requestId=request-4 client=127.0.0.1
          createdAt: "<time 1>" -> null
          description: "Sends bills" -> null
          id: "<system 1>" -> null
          name: "Billing" -> null
          status: "planned" -> null
          tags: [] -> null
          updatedAt: "<time 3>" -> null
        """)


async def test_a_system_with_few_fields(client: httpx.AsyncClient) -> None:
    trail = Transcript(client)
    system = await trail.send("POST", SYSTEMS, user=None, json=new_system(), status=201, made="system")
    # What has no value is left out, updatedAt too.
    assert await trail.entries() == cleandoc("""
        entity=system entityId=<system 1> action=created user=anonymous requestId=<request 1> client=127.0.0.1
          createdAt: null -> "<time 1>"
          description: null -> "Takes orders"
          id: null -> "<system 1>"
          name: null -> "Orders"
          status: null -> "online"
          tags: null -> []
        """)
    url = f"{SYSTEMS}/{system['id']}"

    await trail.send("PUT", url, json={"name": "Billing", "metadata": {}})
    assert await trail.entries() == cleandoc("""
        entity=system entityId=<system 1> action=updated user=ada requestId=request-2 client=127.0.0.1
          metadata: null -> {}
          name: "Orders" -> "Billing"
          updatedAt: null -> "<time 2>"
        """)

    await trail.send("PUT", url, json={"name": "Orders", "metadata": {"b": 1, "n": 2}, "owner": None})
    assert await trail.entries() == cleandoc("""
        entity=system entityId=<system 1> action=updated user=ada requestId=request-3 client=127.0.0.1
          metadata: {} -> {"b": 1, "n": 2}
          name: "Billing" -> "Orders"
          updatedAt: "<time 2>" -> "<time 3>"
        """)

    await trail.send("PUT", url, json={"metadata": {"n": 2.0, "b": True}})
    assert await trail.entries() == cleandoc("""
        entity=system entityId=<system 1> action=updated user=ada requestId=request-4 client=127.0.0.1
          metadata: {"b": 1, "n": 2} -> {"b": true, "n": 2.0}
          updatedAt: "<time 3>" -> "<time 4>"
        """)

    await trail.send("PUT", url, json={"name": "Orders"})
    assert await trail.entries() == cleandoc("""
        entity=system entityId=<system 1> action=updated user=ada requestId=request-5 client=127.0.0.1
          updatedAt: "<time 4>" -> "<time 5>"
        """)

    await trail.send("PUT", url, json={})
    assert await trail.entries() == cleandoc("""
        entity=system entityId=<system 1> action=updated user=ada requestId=request-6 client=127.0.0.1
          updatedAt: "<time 5>" -> "<time 6>"
        """)

    await trail.send("POST", SYSTEMS, json=new_system(), status=409)
    await trail.send("PUT", url, json={"name": None}, status=400)
    await trail.send("PUT", url, json={"name": "x"}, headers={"if-match": '"old"'}, status=412)
    await trail.send("DELETE", url, headers={"if-match": '"old"'}, status=412)
    await trail.send("DELETE", f"{SYSTEMS}/none", status=404)
    assert await trail.entries() == ""

    await trail.send("DELETE", url, user="bob")
    assert await trail.entries() == cleandoc("""
        entity=system entityId=<system 1> action=deleted user=bob requestId=request-12 client=127.0.0.1
          createdAt: "<time 1>" -> null
          description: "Takes orders" -> null
          id: "<system 1>" -> null
          metadata: {"b": true, "n": 2.0} -> null
          name: "Orders" -> null
          status: "online" -> null
          tags: [] -> null
          updatedAt: "<time 6>" -> null
        """)


async def test_checks_of_a_system(running_app: RunningApp, site: Site) -> None:
    async with running_app(healthcheck_allow=(site.address,)) as client:
        trail = Transcript(client)
        body = new_system(status="planned", url=site.url("/health"))
        system = await trail.send("POST", SYSTEMS, json=body, status=201, made="system")
        url = f"{SYSTEMS}/{system['id']}"
        await trail.entries()

        first = await trail.send("POST", f"{url}/health")
        assert await trail.entries() == cleandoc(f"""
            entity=system entityId=<system 1> action=checked user=ada requestId=request-2 client=127.0.0.1
              lastChecked: null -> "<time 2>"
              responseTimeMs: null -> {first["responseTime"]:.0f}
              status: "planned" -> "online"
            """)

        second = await trail.send("POST", f"{url}/health", user="bob")
        # today: lastChecked and responseTimeMs change, and as long as the status does not, no entry tells it.
        assert await trail.entries() == ""

        site.answers["/health"] = b"nonsense"
        await trail.send("POST", f"{url}/health", user="bob")
        assert await trail.entries() == cleandoc(f"""
            entity=system entityId=<system 1> action=checked user=bob requestId=request-4 client=127.0.0.1
              lastChecked: "<time 3>" -> "<time 4>"
              responseTimeMs: {second["responseTime"]:.0f} -> null
              status: "online" -> "degraded"
            """)

        site.answers["/health"] = http(204)
        [third] = await trail.send("POST", f"{SYSTEMS}/health-check-all")
        # Who asks for a check of all systems asks for a job, which has no address.
        assert await trail.entries() == cleandoc(f"""
            entity=system entityId=<system 1> action=checked user=ada requestId=request-5
              lastChecked: "<time 4>" -> "<time 5>"
              responseTimeMs: null -> {third["responseTime"]:.0f}
              status: "degraded" -> "online"
            """)

        await trail.send("PUT", url, json={"url": None})
        assert await trail.entries() == cleandoc(f"""
            entity=system entityId=<system 1> action=updated user=ada requestId=request-6 client=127.0.0.1
              updatedAt: null -> "<time 6>"
              url: "{site.url("/health")}" -> null
            """)
        await trail.send("POST", f"{url}/health")
        await trail.send("POST", f"{SYSTEMS}/health-check-all")
        assert await trail.entries() == ""
