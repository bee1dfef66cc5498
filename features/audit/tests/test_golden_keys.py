"""What the trail tells of API keys, and of what their holders do: a golden test.

Each step is followed by the entries that it leaves.
"""

from inspect import cleandoc

from features.audit.tests.transcript import Transcript
from tests.fixtures.application import RunningApp
from tests.fixtures.commands import Handover

IDEAS = "/api/v1/ideas"
KEYS = "/api/v1/keys"


async def test_keys_and_what_their_holders_do(running_app: RunningApp, handover: Handover) -> None:
    async with running_app(auth="keys") as client:
        trail = Transcript(client)
        operator = {"LOGNAME": "operator"}
        made = await handover("keys", "create", "boss", "--scope", "admin", environment=operator)
        [admin] = [word for word in made.out.split() if word.startswith("hv_")]
        client.headers["authorization"] = f"Bearer {admin}"
        await trail.send("GET", KEYS, made="key")
        assert await trail.entries() == cleandoc("""
            entity=key entityId=<key 1> action=created user=operator
              createdAt: null -> "<time 1>"
              createdBy: null -> "operator"
              id: null -> "<key 1>"
              name: null -> "boss"
              scope: null -> "admin"
            """)

        about = {"name": "guest", "scope": "write", "expiresAt": "2999-01-01T00:00:00.000Z"}
        key = await trail.send("POST", KEYS, json=about, status=201, made="key")
        assert await trail.entries() == cleandoc("""
            entity=key entityId=<key 2> action=created user=boss (ada) requestId=request-2 client=127.0.0.1
              createdAt: null -> "<time 2>"
              createdBy: null -> "boss (ada)"
              expiresAt: null -> "2999-01-01T00:00:00.000Z"
              id: null -> "<key 2>"
              name: null -> "guest"
              scope: null -> "write"
            """)

        mine = {"authorization": f"Bearer {key['key']}"}
        idea = {"title": "Paging", "description": "x", "category": "docs", "priority": "low"}
        await trail.send("POST", IDEAS, json=idea, headers=mine, status=201, made="idea")
        assert await trail.entries() == cleandoc("""
            entity=idea entityId=<idea 1> action=created user=guest (ada) requestId=request-3 client=127.0.0.1
              category: null -> "docs"
              createdAt: null -> "<time 3>"
              createdBy: null -> "guest (ada)"
              description: null -> "x"
              id: null -> "<idea 1>"
              priority: null -> "low"
              status: null -> "new"
              tags: null -> []
              title: null -> "Paging"
            """)

        await trail.send("DELETE", f"{KEYS}/{key['id']}", user=None)
        assert await trail.entries() == cleandoc("""
            entity=key entityId=<key 2> action=updated user=boss requestId=<request 4> client=127.0.0.1
              revokedAt: null -> "<time 4>"
            """)

        await trail.send("DELETE", f"{KEYS}/{key['id']}")
        await trail.send("POST", IDEAS, json=idea, headers=mine, status=401)
        assert await trail.entries() == ""
