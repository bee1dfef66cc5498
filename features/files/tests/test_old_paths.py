"""Paths that old clients call and the published contract never had."""

import httpx


async def test_what_old_clients_ask_for_under_other_paths_is_the_same(client: httpx.AsyncClient) -> None:
    idea = {"title": "t", "description": "d", "category": "docs", "priority": "low"}
    idea_id = (await client.post("/api/v1/ideas", json=idea)).json()["data"]["id"]
    form = {"file": ("a.txt", b"text", "text/plain")}
    made = await client.post("/api/v1/files/upload", files=form, data={"idea_id": idea_id})
    file_id = made.json()["data"]["id"]
    for other, published in (
        (f"/api/v1/ideas/{idea_id}/files", f"/api/v1/files/idea/{idea_id}"),
        (f"/api/v1/files/{file_id}/metadata", f"/api/v1/files/{file_id}"),
        ("/api/v1/files/stats", "/api/v1/files/statistics"),
    ):
        first, second = await client.get(other), await client.get(published)
        assert (first.status_code, first.json(), first.headers["etag"]) == (
            200,
            second.json(),
            second.headers["etag"],
        )
        assert first.json()
    assert (await client.get("/api/v1/files/nothing/metadata")).status_code == 404
