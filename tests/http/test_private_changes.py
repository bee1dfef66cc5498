"""With AUTH=keys changes are told to those who may know of them, for as long as they may."""

from collections.abc import Collection

from core.database.client import Database
from core.feature import ActivityKind, Feature
from core.http.request.access import Principal
from core.http.request.fields import now
from core.settings import Settings
from features.changes.schemas import Audience, Change, ChangeFilter, Event
from features.changes.tests.listening import following, pages
from features.keys.tests.factories import bearer, make_key
from tests.fixtures.application import RunningApp, client_of, lifespan_of, new_app
from tests.fixtures.database import Connection
from tests.fixtures.servers import StartServer
from tests.fixtures.waiting import wait_for


async def test_a_private_file_is_told_to_its_uploader_and_administrators(
    running_app: RunningApp, db: Database
) -> None:
    owner, other = bearer(await make_key(db, "write", "owner")), bearer(await make_key(db, "read", "other"))
    admin = bearer(await make_key(db, "admin", "boss"))
    async with running_app(auth="keys") as client:
        form = {"file": ("secret.txt", b"the zebra sleeps", "text/plain")}
        made = await client.post("/api/v1/files/upload", files=form, headers=owner)
        path = f"/api/v1/files/{made.json()['data']['id']}"

        async def seen() -> list[list[str]]:
            return [
                [each["action"] for each in await pages(client, "&entity=file", who)]
                for who in (owner, other, admin)
            ]

        assert await seen() == [["created"], [], ["created"]]
        for public, others in ((True, ["updated"]), (False, ["updated"])):
            await client.put(path, json={"is_public": public}, headers=owner)
            assert (await seen())[1] == others
        await client.delete(path, headers=owner)
        whole = ["created", "updated", "updated", "deleted"]
        assert await seen() == [whole, ["updated"], whole]
        # Not a field, a place or a number of what is not for them.
        told = await pages(client, "", other)
        assert [each["entity"] for each in told] == ["file"]
        assert "user" not in told[0]
        assert {each["entity"] for each in await pages(client, "", admin)} == {"key", "file"}
        assert (await pages(client, "", admin))[0]["user"] == "operator"


async def test_rows_of_a_feature_that_was_added_are_told_to_whom_their_activities_are(
    settings: Settings, db: Database, connection: Connection
) -> None:
    async def visible(db: Database, ids: Collection[str], holder: Principal | None) -> frozenset[str]:
        return frozenset()

    kinds = (ActivityKind("note", "text", ("notes",)), ActivityKind("diary", "text", ("notes",), {}, visible))
    grown = new_app(settings.model_copy(update={"auth": "keys"}), Feature("notes", activities=kinds))
    reader = await make_key(db, "read", "reader")
    for entity in ("note", "diary", "letter"):
        await connection.execute(
            "INSERT INTO audit_entries (entity, entity_id, action, actor, changes) "
            "VALUES ($1, '1', 'created', 'ada', '{}')",
            entity,
        )
    async with lifespan_of(grown), client_of(grown) as client:
        told = [each["entity"] for each in await pages(client, "", bearer(reader))]
        audience = Audience.of(Principal("1", "reader", "read"), grown.state.features)
    assert told == ["note"]
    for entity, seen in (("note", True), ("diary", False), ("letter", False)):
        change = Change(
            position="1", at=now(), entity=entity, entity_id="1", action="created", fields=[], user="ada"
        )
        assert Event(1, change, "").seen_by(audience, ChangeFilter()) == seen


async def test_a_stream_ends_when_its_key_is_revoked(live_server: StartServer, db: Database) -> None:
    server = await live_server({"AUTH": "keys"})
    key, admin = await make_key(db, "read", "reader"), bearer(await make_key(db, "admin", "boss"))
    async with server.client(headers=admin) as client, following(server, headers=bearer(key)) as told:
        assert (await client.delete(f"/api/v1/keys/{key.id}")).status_code == 200
        await wait_for(lambda: told.ended)


async def test_what_is_reached_tells_nothing_of_what_is_private(
    live_server: StartServer, db: Database
) -> None:
    server = await live_server({"AUTH": "keys"})
    reader = bearer(await make_key(db, "read", "reader"))
    admin = bearer(await make_key(db, "admin", "boss"))
    async with server.client(headers=admin) as client:
        reached = []
        for number in range(3):
            async with following(server, headers=reader) as told:
                await wait_for(lambda: told.ids)
                reached.append(told.ids[0])
            await client.post("/api/v1/keys", json={"name": f"key {number}", "scope": "read"})
        assert len(set(reached)) == 1
        async with following(server, headers=admin) as told:
            await wait_for(lambda: told.ids)
        assert int(told.ids[0]) > int(reached[0])
        made = await client.post(
            "/api/v1/systems",
            json={"name": "S", "description": "D", "status": "online", "url": "http://x.example"},
        )
        assert made.status_code == 201, made.text
        async with following(server, headers={**reader, "Last-Event-ID": reached[0]}) as told:
            await wait_for(lambda: [each["entity"] for each in told.changes] == ["system"])
