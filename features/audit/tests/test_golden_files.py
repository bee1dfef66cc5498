"""What the trail tells of files, and of what goes with a system or an idea: a golden test.

Each step is followed by the entries that it leaves. `# today:` marks what looks like a fault.
"""

from inspect import cleandoc

import httpx

from features.audit.tests.transcript import Transcript

FILES = "/api/v1/files"
IDEAS = "/api/v1/ideas"
SYSTEMS = "/api/v1/systems"

SYSTEM = {"name": "Orders", "description": "x", "status": "online"}
IDEA = {"title": "Paging", "description": "x", "category": "docs", "priority": "low"}
NOTES = ("My notes?.txt", b"some notes\n")


async def test_a_file_with_every_field(client: httpx.AsyncClient) -> None:
    trail = Transcript(client)
    system = await trail.send("POST", SYSTEMS, json=SYSTEM, status=201, made="system")
    one, other = [await trail.send("POST", IDEAS, json=IDEA, status=201, made="idea") for _ in range(2)]
    await trail.entries()
    fields = {"idea_id": one["id"], "system_id": system["id"], "description": "Draft", "is_public": "true"}
    file = await trail.send(
        "POST", f"{FILES}/upload", files={"file": NOTES}, data=fields, status=201, made="file"
    )
    # How often it was downloaded is no change of the file.
    assert await trail.entries() == cleandoc("""
        entity=file entityId=<file 1> action=created user=ada requestId=request-4 client=127.0.0.1
          checksum: null -> "af94040caa54ae89a0460096007629185ce8d17256b0ba0ed7691ef4500449bf"
          createdAt: null -> "<time 4>"
          description: null -> "Draft"
          filename: null -> "My notes_.txt"
          id: null -> "<file 1>"
          ideaId: null -> "<idea 1>"
          isPublic: null -> true
          mimetype: null -> "text/plain"
          originalName: null -> "My notes?.txt"
          size: null -> 11
          systemId: null -> "<system 1>"
          uploadedBy: null -> "ada"
        """)
    url = f"{FILES}/{file['id']}"

    await trail.send("PUT", url, json={"description": "Final", "is_public": False, "idea_id": other["id"]})
    assert await trail.entries() == cleandoc("""
        entity=file entityId=<file 1> action=updated user=ada requestId=request-5 client=127.0.0.1
          description: "Draft" -> "Final"
          ideaId: "<idea 1>" -> "<idea 2>"
          isPublic: true -> false
          updatedAt: null -> "<time 5>"
        """)

    await trail.send("PUT", url, json={"description": "", "idea_id": None, "system_id": None})
    assert await trail.entries() == cleandoc("""
        entity=file entityId=<file 1> action=updated user=ada requestId=request-6 client=127.0.0.1
          description: "Final" -> null
          ideaId: "<idea 2>" -> null
          systemId: "<system 1>" -> null
          updatedAt: "<time 5>" -> "<time 6>"
        """)

    await trail.send("DELETE", url)
    assert await trail.entries() == cleandoc("""
        entity=file entityId=<file 1> action=deleted user=ada requestId=request-7 client=127.0.0.1
          checksum: "af94040caa54ae89a0460096007629185ce8d17256b0ba0ed7691ef4500449bf" -> null
          createdAt: "<time 4>" -> null
          filename: "My notes_.txt" -> null
          id: "<file 1>" -> null
          isPublic: false -> null
          mimetype: "text/plain" -> null
          originalName: "My notes?.txt" -> null
          size: 11 -> null
          updatedAt: "<time 6>" -> null
          uploadedBy: "ada" -> null
        """)


async def test_a_file_with_few_fields(client: httpx.AsyncClient) -> None:
    trail = Transcript(client)
    system = await trail.send("POST", SYSTEMS, json=SYSTEM, status=201, made="system")
    await trail.entries()
    file = await trail.send(
        "POST", f"{FILES}/upload", user=None, files={"file": NOTES}, status=201, made="file"
    )
    # What has no value is left out, updatedAt too.
    assert await trail.entries() == cleandoc("""
        entity=file entityId=<file 1> action=created user=anonymous requestId=<request 2> client=127.0.0.1
          checksum: null -> "af94040caa54ae89a0460096007629185ce8d17256b0ba0ed7691ef4500449bf"
          createdAt: null -> "<time 2>"
          filename: null -> "My notes_.txt"
          id: null -> "<file 1>"
          isPublic: null -> false
          mimetype: null -> "text/plain"
          originalName: null -> "My notes?.txt"
          size: null -> 11
          uploadedBy: null -> "anonymous"
        """)
    url = f"{FILES}/{file['id']}"

    await trail.send("PUT", url, json={"description": "Draft", "system_id": system["id"]})
    assert await trail.entries() == cleandoc("""
        entity=file entityId=<file 1> action=updated user=ada requestId=request-3 client=127.0.0.1
          description: null -> "Draft"
          systemId: null -> "<system 1>"
          updatedAt: null -> "<time 3>"
        """)

    await trail.send("PUT", url, json={"description": "Draft", "is_public": False, "idea_id": None})
    assert await trail.entries() == cleandoc("""
        entity=file entityId=<file 1> action=updated user=ada requestId=request-4 client=127.0.0.1
          updatedAt: "<time 3>" -> "<time 4>"
        """)

    await trail.send("PUT", url, json={})
    assert await trail.entries() == cleandoc("""
        entity=file entityId=<file 1> action=updated user=ada requestId=request-5 client=127.0.0.1
          updatedAt: "<time 4>" -> "<time 5>"
        """)

    assert (await client.get(f"{url}/download")).content == NOTES[1]
    await trail.send("POST", f"{FILES}/upload", files={"file": ("a.exe", b"x")}, status=400)
    await trail.send("PUT", url, json={"idea_id": "none"}, status=400)
    await trail.send("PUT", url, json={"description": "x"}, headers={"if-match": '"old"'}, status=412)
    await trail.send("DELETE", url, headers={"if-match": '"old"'}, status=412)
    await trail.send("DELETE", f"{FILES}/none", status=404)
    await trail.run(f"{FILES}/reconcile")
    assert await trail.entries() == ""

    await trail.send("DELETE", url, user="bob")
    assert await trail.entries() == cleandoc("""
        entity=file entityId=<file 1> action=deleted user=bob requestId=request-12 client=127.0.0.1
          checksum: "af94040caa54ae89a0460096007629185ce8d17256b0ba0ed7691ef4500449bf" -> null
          createdAt: "<time 2>" -> null
          description: "Draft" -> null
          filename: "My notes_.txt" -> null
          id: "<file 1>" -> null
          isPublic: false -> null
          mimetype: "text/plain" -> null
          originalName: "My notes?.txt" -> null
          size: 11 -> null
          systemId: "<system 1>" -> null
          updatedAt: "<time 5>" -> null
          uploadedBy: "anonymous" -> null
        """)


async def test_several_files_in_one_form(client: httpx.AsyncClient) -> None:
    trail = Transcript(client)
    form = [("files", ("a.txt", b"a\n")), ("files", ("b.exe", b"b\n")), ("files", ("c.md", b"c\n"))]
    await trail.send("POST", f"{FILES}/upload-multiple", files=form, status=207, made="file")
    assert await trail.entries() == cleandoc("""
        entity=file entityId=<file 1> action=created user=ada requestId=request-1 client=127.0.0.1
          checksum: null -> "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"
          createdAt: null -> "<time 1>"
          filename: null -> "a.txt"
          id: null -> "<file 1>"
          isPublic: null -> false
          mimetype: null -> "text/plain"
          originalName: null -> "a.txt"
          size: null -> 2
          uploadedBy: null -> "ada"
        entity=file entityId=<file 2> action=created user=ada requestId=request-1 client=127.0.0.1
          checksum: null -> "a3a5e715f0cc574a73c3f9bebb6bc24f32ffd5b67b387244c2c909da779a1478"
          createdAt: null -> "<time 1>"
          filename: null -> "c.md"
          id: null -> "<file 2>"
          isPublic: null -> false
          mimetype: null -> "text/markdown"
          originalName: null -> "c.md"
          size: null -> 2
          uploadedBy: null -> "ada"
        """)


async def test_a_system_that_ideas_and_files_hang_on_is_deleted(client: httpx.AsyncClient) -> None:
    trail = Transcript(client)
    system = await trail.send("POST", SYSTEMS, json=SYSTEM, status=201, made="system")
    body = {**IDEA, "systemId": system["id"]}
    idea = await trail.send("POST", IDEAS, json=body, status=201, made="idea")
    file = await trail.send(
        "POST",
        f"{FILES}/upload",
        files={"file": ("notes.txt", b"some notes\n")},
        data={"system_id": system["id"], "idea_id": idea["id"]},
        status=201,
        made="file",
    )
    await trail.entries()

    await trail.send("PUT", f"{SYSTEMS}/{system['id']}", json={"name": "Billing"})
    # What the idea shows of its system is not the idea's.
    assert await trail.entries() == cleandoc("""
        entity=system entityId=<system 1> action=updated user=ada requestId=request-4 client=127.0.0.1
          name: "Orders" -> "Billing"
          updatedAt: null -> "<time 4>"
        """)

    await trail.send("DELETE", f"{SYSTEMS}/{system['id']}", user="bob")
    assert await trail.entries() == cleandoc("""
        entity=system entityId=<system 1> action=deleted user=bob requestId=request-5 client=127.0.0.1
          createdAt: "<time 1>" -> null
          description: "x" -> null
          id: "<system 1>" -> null
          name: "Billing" -> null
          status: "online" -> null
          tags: [] -> null
          updatedAt: "<time 4>" -> null
        entity=file entityId=<file 1> action=updated user=bob requestId=request-5 client=127.0.0.1
          systemId: "<system 1>" -> null
        entity=idea entityId=<idea 1> action=updated user=bob requestId=request-5 client=127.0.0.1
          systemId: "<system 1>" -> null
        """)
    for url in (f"{IDEAS}/{idea['id']}", f"{FILES}/{file['id']}"):
        assert "systemId" not in await trail.send("GET", url)

    await trail.send("PUT", f"{IDEAS}/{idea['id']}", json={"systemId": None})
    await trail.send("PUT", f"{FILES}/{file['id']}", json={"system_id": None})
    assert await trail.entries() == cleandoc("""
        entity=idea entityId=<idea 1> action=updated user=ada requestId=request-8 client=127.0.0.1
          updatedAt: null -> "<time 8>"
        entity=file entityId=<file 1> action=updated user=ada requestId=request-9 client=127.0.0.1
          updatedAt: null -> "<time 9>"
        """)

    await trail.send("DELETE", f"{IDEAS}/{idea['id']}", user="bob")
    assert await trail.entries() == cleandoc("""
        entity=idea entityId=<idea 1> action=deleted user=bob requestId=request-10 client=127.0.0.1
          category: "docs" -> null
          createdAt: "<time 2>" -> null
          createdBy: "ada" -> null
          description: "x" -> null
          id: "<idea 1>" -> null
          priority: "low" -> null
          status: "new" -> null
          tags: [] -> null
          title: "Paging" -> null
          updatedAt: "<time 8>" -> null
        entity=file entityId=<file 1> action=updated user=bob requestId=request-10 client=127.0.0.1
          ideaId: "<idea 1>" -> null
        """)
    assert "ideaId" not in await trail.send("GET", f"{FILES}/{file['id']}")

    await trail.send("DELETE", f"{FILES}/{file['id']}", user="bob")
    assert await trail.entries() == cleandoc("""
        entity=file entityId=<file 1> action=deleted user=bob requestId=request-12 client=127.0.0.1
          checksum: "af94040caa54ae89a0460096007629185ce8d17256b0ba0ed7691ef4500449bf" -> null
          createdAt: "<time 3>" -> null
          filename: "notes.txt" -> null
          id: "<file 1>" -> null
          isPublic: false -> null
          mimetype: "text/plain" -> null
          originalName: "notes.txt" -> null
          size: 11 -> null
          updatedAt: "<time 9>" -> null
          uploadedBy: "ada" -> null
        """)
