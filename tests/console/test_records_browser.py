"""Records in a real browser: made, changed where they stand, looked into, and asked about."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.console.axe import audit, faults_of
from tests.console.rows import IDEA, ITEM, SYSTEM, make, program, server
from tests.fixtures.browser import OpenPage
from tests.fixtures.commands import Handover
from tests.fixtures.servers import LiveServer
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    import httpx

__all__ = ["program", "server"]
pytestmark = pytest.mark.slow

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360f8cfc00000030101008d1de582"
    "0000000049454e44ae426082"
)


async def test_every_page_of_records_is_accessible_and_fits(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage, handover: Handover
) -> None:
    long = {"title": "W" * 200, "description": "\N{ROCKET}" * 300}
    await handover("demo")
    places = [
        await make(program, "/api/v1/ideas", {**IDEA, **long, "dueDate": "2020-01-01T00:00:00Z"}),
        await make(
            program, "/api/v1/systems", {**SYSTEM, "name": "W" * 200, "url": f"http://{'w' * 200}.example"}
        ),
    ]
    await make(program, "/api/items", {**ITEM, **long, "tags": ["t" * 200]})
    item = (await program.get("/api/items?limit=1")).json()["data"][0]["id"]
    file = (await program.get("/api/v1/files?limit=1")).json()["data"][0]["id"]
    hook = await make(program, "/api/v1/webhooks", {"url": f"https://{'w' * 60}.example/{'w' * 200}"})
    page = await open_page(server)
    for path in (
        *("/webhooks", hook.removeprefix("/api/v1")),
        *("/ideas", "/items", "/systems", "/files", "/new/idea", "/new/item", "/new/system"),
        *(place.removeprefix("/api/v1") for place in places),
        *(f"/items/item?id={item}", f"/files/{file}", "/ideas?search=nothing+like+it", "/ideas?column=new"),
    ):
        await page.goto(f"/console{path}")
        assert await faults_of(page) == [], path


async def test_an_idea_is_made_changed_given_a_file_and_deleted_by_keyboard(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage, tmp_path: Path
) -> None:
    page = await open_page(server)
    await page.goto("/console/ideas")
    await page.get_by_role("main").get_by_role("link", name="New idea").first.press("Enter")
    await page.get_by_label("Title").fill("Guide")
    await page.get_by_label("Description").fill("One page")
    await page.get_by_label("Category").select_option("docs")
    await page.get_by_label("Hours, estimated").fill("5000")
    await page.keyboard.press("Enter")
    await page.locator("#f-estimatedHours[aria-invalid=true]").wait_for()
    assert await audit(page) == []
    await page.get_by_label("Hours, estimated").fill("5")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Guide", level=1).wait_for()
    await page.get_by_label("Status").select_option("review")
    await page.get_by_role("button", name="Save").press("Enter")
    await page.get_by_text("Saved").wait_for()
    entry = page.locator("#entries li").first
    assert "Review" in await entry.inner_text()
    (tmp_path / "notes.md").write_text("# <script>alert(1)</script>")
    await page.locator("input[type=file]").set_input_files(tmp_path / "notes.md")
    await page.get_by_role("button", name="Upload").click()
    await page.get_by_text("Files stored: 1").wait_for()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download: notes.md").click()
    assert (await (await download.value).path()).read_text() == "# <script>alert(1)</script>"
    await page.get_by_role("link", name="notes.md", exact=True).click()
    await page.get_by_text("# <script>alert(1)</script>").wait_for()
    await page.get_by_role("link", name="Guide", exact=True).click()
    await page.get_by_role("button", name="Delete").press("Enter")
    await page.get_by_role("button", name="Keep it").press("Enter")
    assert (await program.get("/api/v1/ideas?limit=1")).json()["total"] == 1
    await page.get_by_role("button", name="Delete").press("Enter")
    await page.get_by_role("button", name="Yes, go on").press("Enter")
    await page.get_by_text("No idea yet.").wait_for()
    assert (await program.get("/api/v1/ideas?limit=1")).json()["total"] == 0


async def test_a_value_is_changed_where_it_stands(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    place = await make(program, "/api/items", ITEM)
    page = await open_page(server)
    await page.goto("/console/items")

    async def item() -> dict[str, Any]:
        row: dict[str, Any] = (await program.get(place)).json()["data"]
        return row

    title = page.get_by_role("button", name="Title: Dark mode. Edit")
    await title.press("Enter")
    await page.keyboard.type("Thrown away")
    await page.keyboard.press("Escape")
    assert await page.evaluate("document.activeElement.innerText") == "Dark mode"
    await title.click()
    await page.keyboard.type(" ")
    await page.keyboard.press("Enter")
    fault = page.locator("td .fault")
    await fault.wait_for()
    assert await page.get_by_role("textbox", name="Title").get_attribute("aria-describedby") == (
        await fault.get_attribute("id")
    )
    assert await audit(page) == []
    await page.get_by_role("textbox", name="Title").fill("<b>Night</b> \N{ROCKET}")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Title: <b>Night</b>").wait_for()
    await page.get_by_text("Saved").first.wait_for()
    assert (await item())["title"] == "<b>Night</b> \N{ROCKET}"
    await page.get_by_role("button", name="Tags: nothing. Edit").click()
    await page.keyboard.type('night, "a, b"')
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Tags: night").wait_for()
    assert (await item())["tags"] == ["night", "a, b"]
    await page.get_by_role("button", name="Status: New. Edit").click()
    await page.get_by_role("cell").get_by_label("Status").select_option("in-progress")
    await page.get_by_role("button", name="Status: In progress. Edit").wait_for()
    assert (await item())["status"] == "in-progress"
    await page.get_by_role("link", name="Open").click()
    assert "grace" not in await page.locator("#entries li").first.inner_text()
    assert await page.locator("#entries li").count() == 4


async def test_a_value_that_somebody_else_changed_is_asked_about(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    place = await make(program, "/api/items", ITEM)
    page = await open_page(server)
    await page.goto("/console/items")
    await program.put(place, json={"title": "Theirs"})
    await page.get_by_role("button", name="Title: Dark mode. Edit").click()
    await page.keyboard.type("Mine")
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    await dialog.wait_for()
    assert await dialog.locator(".version").all_inner_texts() == ["Theirs", "Mine"]
    await dialog.get_by_role("button", name="Write my version").click()
    await page.get_by_role("button", name="Title: Mine. Edit").wait_for()
    assert (await program.get(place)).json()["data"]["title"] == "Mine"


async def test_files_go_up_with_their_progress_and_are_looked_into(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage, tmp_path: Path
) -> None:
    names = {"a.png": PNG, "b.exe": b"MZ" * 1000, "c.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>"}
    for name, content in names.items():
        (tmp_path / name).write_bytes(content)
    page = await open_page(server)
    await page.goto("/console/files")
    await page.get_by_text("Description, system, who may see it").click()
    await page.get_by_label("Description").fill("Three of them")
    await page.get_by_label("Choose files or drop them here").set_input_files(
        [tmp_path / each for each in names]
    )
    await page.get_by_role("button", name="Upload").click()
    told = page.get_by_role("status").get_by_text("Files stored: 2. Not stored: 1")
    await told.wait_for()
    assert "b.exe: File type .exe is not allowed" in await page.locator(".refused").inner_text()
    rows = (await program.get("/api/v1/files")).json()["data"]
    assert {(row["originalName"], row["description"]) for row in rows} == {
        ("a.png", "Three of them"),
        ("c.svg", "Three of them"),
    }
    await page.get_by_label("Type").select_option("image/png")
    await page.get_by_role("link", name="c.svg", exact=True).wait_for(state="detached")
    await page.get_by_role("link", name="a.png", exact=True).click()
    picture = page.get_by_role("img", name="Three of them")
    await wait_for(lambda: picture.evaluate("image => image.complete && image.naturalWidth === 1"), 10)
    await page.get_by_label("Everybody may see it").check()
    await page.get_by_role("button", name="Save").click()
    await page.get_by_text("Saved").wait_for()
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("button", name="Yes, go on").click()
    await page.get_by_text("It is deleted").wait_for()
    assert await page.get_by_role("link", name="c.svg", exact=True).count() == 1


async def test_a_system_is_made_checked_and_changed(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    page = await open_page(server)
    await page.goto("/console/systems")
    await page.get_by_role("main").get_by_role("link", name="New system").first.click()
    await page.locator("#f-name").fill("Orders")
    await page.get_by_label("Description").fill("Takes orders")
    await page.get_by_label("Status").select_option("planned")
    await page.get_by_label("URL").fill("http://127.0.0.1:1/health")
    await page.get_by_label("Metadata").fill('{"team": 1')
    await page.get_by_role("button", name="Make the system").click()
    await page.locator("#f-metadata[aria-invalid=true]").wait_for()
    await page.get_by_label("Metadata").fill('{"team": 1}')
    await page.get_by_role("button", name="Make the system").click()
    await page.get_by_role("heading", name="Orders", level=1).wait_for()
    await page.get_by_role("link", name="All systems").click()
    await page.get_by_role("button", name="Check now: Orders").press("Enter")
    await page.locator(".toast.bad").wait_for()
    row = page.get_by_role("row").filter(has_text="Orders")
    await row.locator("time").wait_for()
    assert (await program.get("/api/v1/systems")).json()["data"][0]["metadata"] == {"team": 1}
    await page.get_by_role("button", name="Check all").click()
    await page.get_by_role("button", name="Keep it").click()
    await page.get_by_role("button", name="Check all").click()
    await page.get_by_role("dialog").get_by_text("replaces the status").wait_for()
    await page.get_by_role("button", name="Yes, go on").click()
    await page.get_by_text("1 checked, 1 of them not well").wait_for()


async def test_without_scripts_records_are_made_and_a_conflict_is_asked_about(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage
) -> None:
    place = await make(program, "/api/v1/ideas", IDEA)
    page = await open_page(server, scripts=False)
    await page.goto("/console/ideas")
    await page.get_by_role("link", name="Guide").click()
    await program.put(place, json={"description": "Theirs", "priority": "low"})
    await page.get_by_label("Description").fill("Mine")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_text("Changed by somebody else meanwhile").wait_for()
    await page.get_by_role("button", name="Write my version").click()
    await page.get_by_text("Saved").wait_for()
    now = (await program.get(place)).json()["data"]
    assert (now["description"], now["priority"]) == ("Mine", "low")


async def test_files_that_are_refused_or_lost_say_why_and_stay_chosen(
    server: LiveServer, program: "httpx.AsyncClient", open_page: OpenPage, tmp_path: Path
) -> None:
    idea = await make(program, "/api/v1/ideas", IDEA)
    large, fine, refused = (tmp_path / name for name in ("large.txt", "fine.txt", "refused.exe"))
    fine.write_text("fine")
    refused.write_bytes(b"MZ" * 1000)
    with large.open("wb") as sparse:
        sparse.truncate((await program.get("/api/v1/files/upload-info")).json()["max_file_size"] + 1)
    page = await open_page(server)
    for path in ("/console/files", idea.replace("/api/v1", "/console")):
        stored = (await program.get("/api/v1/files?limit=1")).json()["total"]
        await page.goto(path)
        chosen, told = page.locator("input[type=file]"), page.locator(".refused")
        names = "input => [...input.files].map(file => file.name)"
        await chosen.set_input_files([large, fine])
        await page.get_by_text("2 files: large.txt, fine.txt").wait_for()
        await page.get_by_role("button", name="Upload").click()
        await told.get_by_text("large.txt is larger than 50.0 MB").wait_for()
        assert await chosen.evaluate(names) == ["large.txt", "fine.txt"]
        await chosen.set_input_files([fine, refused])
        await page.get_by_role("button", name="Upload").click()
        await told.get_by_text("refused.exe").wait_for()
        assert await chosen.evaluate(names) == ["refused.exe"]
        await page.get_by_role("link", name="fine.txt", exact=True).first.wait_for()
        assert await audit(page) == []
        await chosen.set_input_files([fine])
        await page.route("**/console/files", lambda route: route.abort())
        await page.get_by_role("button", name="Upload").click()
        await told.get_by_text("The connection was lost").wait_for()
        assert await chosen.evaluate(names) == ["fine.txt"]
        await page.unroute("**/console/files")
        assert (await program.get("/api/v1/files?limit=1")).json()["total"] == stored + 1
