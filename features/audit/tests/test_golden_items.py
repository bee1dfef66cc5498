"""What the trail tells of items and ideas, entry by entry: a golden test.

Each step is followed by the entries that it leaves. `# today:` marks what looks like a fault.
"""

from inspect import cleandoc

import httpx

from features.audit.tests.transcript import Transcript

ITEMS = "/api/items"
IDEAS = "/api/v1/ideas"
SYSTEMS = "/api/v1/systems"


async def test_an_item(client: httpx.AsyncClient) -> None:
    trail = Transcript(client)
    body = {"title": " Dark mode ", "description": "At night", "category": "dashboard", "priority": "high"}
    item = await trail.send("POST", ITEMS, user=None, json=body, status=201, made="item")
    # today: a new item was never updated, and its entry says so (null -> null), unlike those of other rows.
    assert await trail.entries() == cleandoc("""
        entity=item entityId=<item 1> action=created user=anonymous requestId=<request 1> client=127.0.0.1
          category: null -> "dashboard"
          createdAt: null -> "<time 1>"
          description: null -> "At night"
          id: null -> "<item 1>"
          priority: null -> "high"
          status: null -> "new"
          tags: null -> []
          title: null -> "Dark mode"
          updatedAt: null -> null
        """)
    url = f"{ITEMS}/{item['id']}"

    every = {"title": "Night", "description": 'é 🚀\n"x"', "category": "coleta-dados", "priority": "critical"}
    await trail.send("PUT", url, json={**every, "status": "in-progress", "tags": ["ui", "b", "ui"]})
    assert await trail.entries() == cleandoc("""
        entity=item entityId=<item 1> action=updated user=ada requestId=request-2 client=127.0.0.1
          category: "dashboard" -> "coleta-dados"
          description: "At night" -> "é 🚀\\n\\"x\\""
          priority: "high" -> "critical"
          status: "new" -> "in-progress"
          tags: [] -> ["ui", "b", "ui"]
          title: "Dark mode" -> "Night"
          updatedAt: null -> "<time 2>"
        """)

    await trail.send("PUT", url, user="maría", json={"title": "Dark mode", "tags": []})
    assert await trail.entries() == cleandoc("""
        entity=item entityId=<item 1> action=updated user=maría requestId=request-3 client=127.0.0.1
          tags: ["ui", "b", "ui"] -> []
          title: "Night" -> "Dark mode"
          updatedAt: "<time 2>" -> "<time 3>"
        """)

    await trail.send("PUT", url, json={"title": "Dark mode"})
    assert await trail.entries() == cleandoc("""
        entity=item entityId=<item 1> action=updated user=ada requestId=request-4 client=127.0.0.1
          updatedAt: "<time 3>" -> "<time 4>"
        """)

    await trail.send("PUT", url, json={})
    assert await trail.entries() == cleandoc("""
        entity=item entityId=<item 1> action=updated user=ada requestId=request-5 client=127.0.0.1
          updatedAt: "<time 4>" -> "<time 5>"
        """)

    await trail.send("PUT", url, json={"title": None}, status=400)
    await trail.send("PUT", url, json={"title": "x"}, headers={"if-match": '"old"'}, status=412)
    await trail.send("DELETE", url, headers={"if-match": '"old"'}, status=412)
    await trail.send("PUT", f"{ITEMS}/none", json={"title": "x"}, status=404)
    await trail.send("DELETE", f"{ITEMS}/none", status=404)
    assert await trail.entries() == ""

    await trail.send("DELETE", url, user="bob")
    assert await trail.entries() == cleandoc("""
        entity=item entityId=<item 1> action=deleted user=bob requestId=request-11 client=127.0.0.1
          category: "coleta-dados" -> null
          createdAt: "<time 1>" -> null
          description: "é 🚀\\n\\"x\\"" -> null
          id: "<item 1>" -> null
          priority: "critical" -> null
          status: "in-progress" -> null
          tags: [] -> null
          title: "Dark mode" -> null
          updatedAt: "<time 5>" -> null
        """)


async def test_a_request_that_is_repeated_with_its_key(client: httpx.AsyncClient) -> None:
    trail = Transcript(client)
    body = {"title": "Once", "description": "x", "category": "dashboard", "priority": "low", "tags": ["a"]}
    for _ in range(2):
        key = {"idempotency-key": "once"}
        await trail.send("POST", ITEMS, json=body, headers=key, status=201, made="item")
    assert await trail.entries() == cleandoc("""
        entity=item entityId=<item 1> action=created user=ada requestId=request-1 client=127.0.0.1
          category: null -> "dashboard"
          createdAt: null -> "<time 1>"
          description: null -> "x"
          id: null -> "<item 1>"
          priority: null -> "low"
          status: null -> "new"
          tags: null -> ["a"]
          title: null -> "Once"
          updatedAt: null -> null
        """)


async def test_an_idea_with_every_field(client: httpx.AsyncClient) -> None:
    trail = Transcript(client)
    about = {"description": "x", "status": "online"}
    one, other = [
        await trail.send("POST", SYSTEMS, json={"name": name, **about}, status=201, made="system")
        for name in ("Orders", "Billing")
    ]
    await trail.entries()
    body = {
        "title": "Paging",
        "description": "One page",
        "category": "docs",
        "priority": "high",
        "status": "completed",
        "tags": ["api", "guide"],
        "systemId": one["id"],
        "assignedTo": "docs-team",
        "createdBy": "platform-team",
        "estimatedHours": 12.5,
        "actualHours": 0,
        "dueDate": "2030-11-30T12:00:00+01:00",
    }
    idea = await trail.send("POST", IDEAS, json=body, status=201, made="idea")
    # The name of the system, which the API shows too, is not the idea's.
    assert await trail.entries() == cleandoc("""
        entity=idea entityId=<idea 1> action=created user=ada requestId=request-3 client=127.0.0.1
          actualHours: null -> 0.0
          assignedTo: null -> "docs-team"
          category: null -> "docs"
          completedAt: null -> "<time 3>"
          createdAt: null -> "<time 3>"
          createdBy: null -> "platform-team"
          description: null -> "One page"
          dueDate: null -> "2030-11-30T11:00:00.000Z"
          estimatedHours: null -> 12.5
          id: null -> "<idea 1>"
          priority: null -> "high"
          status: null -> "completed"
          systemId: null -> "<system 1>"
          tags: null -> ["api", "guide"]
          title: null -> "Paging"
        """)
    url = f"{IDEAS}/{idea['id']}"

    changed = {
        "title": "Cursors",
        "description": "Two pages",
        "category": "api",
        "priority": "low",
        "status": "in_progress",
        "tags": ["guide"],
        "systemId": other["id"],
        "assignedTo": "ada",
        "estimatedHours": 13,
        "actualHours": 1.25,
        "dueDate": "2031-01-01",
        "createdBy": "nobody can change it",
    }
    await trail.send("PUT", url, json=changed)
    assert await trail.entries() == cleandoc("""
        entity=idea entityId=<idea 1> action=updated user=ada requestId=request-4 client=127.0.0.1
          actualHours: 0.0 -> 1.25
          assignedTo: "docs-team" -> "ada"
          category: "docs" -> "api"
          completedAt: "<time 3>" -> null
          description: "One page" -> "Two pages"
          dueDate: "2030-11-30T11:00:00.000Z" -> "2031-01-01T00:00:00.000Z"
          estimatedHours: 12.5 -> 13.0
          priority: "high" -> "low"
          status: "completed" -> "in_progress"
          systemId: "<system 1>" -> "<system 2>"
          tags: ["api", "guide"] -> ["guide"]
          title: "Paging" -> "Cursors"
          updatedAt: null -> "<time 4>"
        """)

    empty = dict.fromkeys(("systemId", "assignedTo", "estimatedHours", "actualHours", "dueDate"))
    await trail.send("PUT", url, json={**empty, "tags": []})
    assert await trail.entries() == cleandoc("""
        entity=idea entityId=<idea 1> action=updated user=ada requestId=request-5 client=127.0.0.1
          actualHours: 1.25 -> null
          assignedTo: "ada" -> null
          dueDate: "2031-01-01T00:00:00.000Z" -> null
          estimatedHours: 13.0 -> null
          systemId: "<system 2>" -> null
          tags: ["guide"] -> []
          updatedAt: "<time 4>" -> "<time 5>"
        """)

    await trail.send("DELETE", url)
    assert await trail.entries() == cleandoc("""
        entity=idea entityId=<idea 1> action=deleted user=ada requestId=request-6 client=127.0.0.1
          category: "api" -> null
          createdAt: "<time 3>" -> null
          createdBy: "platform-team" -> null
          description: "Two pages" -> null
          id: "<idea 1>" -> null
          priority: "low" -> null
          status: "in_progress" -> null
          tags: [] -> null
          title: "Cursors" -> null
          updatedAt: "<time 5>" -> null
        """)


async def test_an_idea_with_few_fields(client: httpx.AsyncClient) -> None:
    trail = Transcript(client)
    body = {"title": "Paging", "description": "One page", "category": "docs", "priority": "high"}
    idea = await trail.send("POST", IDEAS, user=None, json=body, status=201, made="idea")
    # What has no value is left out, updatedAt too.
    assert await trail.entries() == cleandoc("""
        entity=idea entityId=<idea 1> action=created user=anonymous requestId=<request 1> client=127.0.0.1
          category: null -> "docs"
          createdAt: null -> "<time 1>"
          createdBy: null -> "anonymous"
          description: null -> "One page"
          id: null -> "<idea 1>"
          priority: null -> "high"
          status: null -> "new"
          tags: null -> []
          title: null -> "Paging"
        """)
    url = f"{IDEAS}/{idea['id']}"

    await trail.send("PUT", url, json={"status": "completed"})
    assert await trail.entries() == cleandoc("""
        entity=idea entityId=<idea 1> action=updated user=ada requestId=request-2 client=127.0.0.1
          completedAt: null -> "<time 2>"
          status: "new" -> "completed"
          updatedAt: null -> "<time 2>"
        """)

    await trail.send("PUT", url, json={"status": "completed", "title": "Cursors", "assignedTo": None})
    assert await trail.entries() == cleandoc("""
        entity=idea entityId=<idea 1> action=updated user=ada requestId=request-3 client=127.0.0.1
          title: "Paging" -> "Cursors"
          updatedAt: "<time 2>" -> "<time 3>"
        """)

    await trail.send("PUT", url, json={"status": "review", "title": "Paging"})
    assert await trail.entries() == cleandoc("""
        entity=idea entityId=<idea 1> action=updated user=ada requestId=request-4 client=127.0.0.1
          completedAt: "<time 2>" -> null
          status: "completed" -> "review"
          title: "Cursors" -> "Paging"
          updatedAt: "<time 3>" -> "<time 4>"
        """)

    await trail.send("PUT", url, json={"title": "Paging"})
    assert await trail.entries() == cleandoc("""
        entity=idea entityId=<idea 1> action=updated user=ada requestId=request-5 client=127.0.0.1
          updatedAt: "<time 4>" -> "<time 5>"
        """)

    await trail.send("PUT", url, json={})
    assert await trail.entries() == cleandoc("""
        entity=idea entityId=<idea 1> action=updated user=ada requestId=request-6 client=127.0.0.1
          updatedAt: "<time 5>" -> "<time 6>"
        """)

    await trail.send("PUT", url, json={"systemId": "none"}, status=400)
    await trail.send("PUT", url, json={"title": "x"}, headers={"if-match": '"old"'}, status=412)
    await trail.send("DELETE", url, headers={"if-match": '"old"'}, status=412)
    await trail.send("DELETE", f"{IDEAS}/none", status=404)
    assert await trail.entries() == ""

    await trail.send("DELETE", url, user="bob")
    assert await trail.entries() == cleandoc("""
        entity=idea entityId=<idea 1> action=deleted user=bob requestId=request-11 client=127.0.0.1
          category: "docs" -> null
          createdAt: "<time 1>" -> null
          createdBy: "anonymous" -> null
          description: "One page" -> null
          id: "<idea 1>" -> null
          priority: "high" -> null
          status: "review" -> null
          tags: [] -> null
          title: "Paging" -> null
          updatedAt: "<time 6>" -> null
        """)
