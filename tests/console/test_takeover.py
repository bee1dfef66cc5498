"""The takeover over HTTP, as a browser without scripts does it."""

import re
from io import BytesIO
from typing import TYPE_CHECKING
from zipfile import ZipFile

import orjson

from tests.console.forms import form_of
from tests.fixtures.waiting import wait_for

if TYPE_CHECKING:
    import httpx

FILE = {"items": [{"id": "1", "title": "Dark mode", "description": "At night"}, {"id": "2", "title": " "}]}
GOOD = {"category": "dashboard", "priority": "low", "status": "new", "tags": []}
LIBRARY = orjson.dumps(
    {"items": [{**each, **GOOD, "createdAt": "2025-10-23T22:46:19.740Z"} for each in FILE["items"]]}
)


async def send(client: "httpx.AsyncClient", dry_run: str, content: bytes = LIBRARY) -> "httpx.Response":
    url = f"/console/takeover?dry_run={dry_run}"
    return await client.post(url, files={"file": ('li"brary.json', content, "application/json")})


async def ended(client: "httpx.AsyncClient", begun: "httpx.Response") -> str:
    """The page of a run, when it has ended."""
    assert begun.status_code == 303, begun.text

    async def page() -> str | None:
        text = (await client.get(begun.headers["location"])).text
        return None if "data-live" in text else text

    return str(await wait_for(page))


async def test_a_dry_run_tells_what_would_happen_and_writes_nothing(client: "httpx.AsyncClient") -> None:
    page = await ended(client, await send(client, "true"))
    assert "items[1]" in page
    assert "title: must not be empty" in page
    assert re.search(r"<dd>1</dd><dt>would come in</dt>", page)
    assert (await client.get("/api/items")).json()["total"] == 0


async def test_an_import_is_told_listed_and_taken_back(client: "httpx.AsyncClient") -> None:
    begun = await send(client, "false")
    page = await ended(client, begun)
    assert re.search(r"<dd>1</dd><dt>new here</dt>", page)
    assert "items[1]" in page
    assert (await client.get("/api/items")).json()["total"] == 1
    place = begun.headers["location"]
    assert place in (await client.get("/console/takeover")).text
    await client.put("/api/items/1", json={"status": "review"})
    stopped = await ended(client, await client.post(f"{place}/undo"))
    assert "Nothing was undone because of 1 conflict" in stopped
    assert "/console/activity?entity=item&amp;entity_id=1" in stopped
    await client.delete("/api/items/1")
    undone = await ended(client, await client.post(f"{place}/undo"))
    assert "It is taken back." in undone


async def test_an_import_and_its_undo_name_each_other(client: "httpx.AsyncClient") -> None:
    begun = await send(client, "false")
    await ended(client, begun)
    place, undo = begun.headers["location"], f"{begun.headers['location']}/undo"
    assert undo not in await ended(client, await send(client, "true"))
    tried = await client.post(f"{undo}?dry_run=true")
    assert undo in await ended(client, tried)
    taken = await client.post(undo)
    for page in (await ended(client, taken), await ended(client, tried)):
        assert f'href="{place}"' in page
        assert undo not in page
    page = await ended(client, begun)
    assert "Done, and compared" not in page
    assert f'<a href="{taken.headers["location"]}">This import was taken back</a> <time' in page
    assert "by anonymous" in page
    assert undo not in page
    assert "Taken back</span>" in (await client.get("/console/takeover")).text


async def test_an_undo_asks_first_without_scripts_and_a_look_at_it_does_not(
    client: "httpx.AsyncClient",
) -> None:
    begun = await send(client, "false")
    place, fields = form_of(await ended(client, begun), f"{begun.headers['location']}/undo")
    asked = await client.post(place, data={**fields, "keep_changed": "true"})
    assert (asked.status_code, fields["ask"] in asked.text) == (200, True)
    looked = await client.post(f"{place}?dry_run=true", data={"ask": [fields["ask"], ""]})
    assert "What an undo would do" in await ended(client, looked)
    assert "Done, and compared" in await ended(client, begun)
    place, fields = form_of(asked.text, place)
    assert fields == {"keep_changed": "true"}
    assert "It is taken back." in await ended(client, await client.post(place, data=fields))


async def test_a_dry_run_tells_what_the_file_would_overwrite(client: "httpx.AsyncClient") -> None:
    await ended(client, await send(client, "false"))
    fields, file = {"on_conflict": "overwrite"}, {"file": ("library.json", LIBRARY)}
    page = await ended(client, await client.post("/console/takeover", data=fields, files=file))
    assert "up to 1 would be overwritten" in page
    assert "would be overwritten" not in await ended(client, await send(client, "true"))


async def test_an_option_that_is_not_valid_is_told_by_the_service(client: "httpx.AsyncClient") -> None:
    assert "pattern=" not in (await client.get("/console/takeover")).text, "it could not be shown when closed"
    fields, file = {"max_rejects": "many"}, {"file": ("library.json", LIBRARY)}
    told = await client.post("/console/takeover", data=fields, files=file)
    assert (told.status_code, "max_rejects" in told.text) == (400, True)


async def test_a_comparison_shows_the_part_that_differs(client: "httpx.AsyncClient") -> None:
    await ended(client, await send(client, "false"))
    [record, _] = orjson.loads(LIBRARY)["items"]
    await client.put("/api/items/1", json={"description": f"{'word ' * 60}here"})
    changed = {"description": f"{'word ' * 60}there", "updatedAt": None}
    file = {"file": ("library.json", orjson.dumps({"items": [record | changed]}))}
    page = await ended(client, await client.post("/console/takeover?verify=true", files=file))
    assert re.search(r"word <del>there</del> → word .* word <ins>here</ins>", page, re.DOTALL)
    assert re.search(r"updatedAt: <em>\w+</em> → <ins>2", page)
    assert "None" not in page


async def test_jobs_are_called_after_what_they_do_with_which_file(client: "httpx.AsyncClient") -> None:
    begun = await send(client, "false")
    await ended(client, begun)
    await ended(client, await send(client, "true"))
    await ended(
        client, await client.post("/console/takeover?verify=true", files={"file": ("x.json", LIBRARY)})
    )
    await ended(client, await client.post(f"{begun.headers['location']}/undo?dry_run=true"))
    jobs = (await client.get("/console/jobs")).text
    names = re.findall(r'href="/console/jobs/[^"]+">\s*([^<]+?)\s*<', jobs)
    assert names[:2] == ["What an undo would do", "Comparison of x.json"]
    assert [re.sub("&#34;|%22", '"', each) for each in names[2:4]] == [
        'Dry run of li"brary.json',
        'Import of li"brary.json',
    ]


async def test_rows_that_a_run_names_lead_to_their_pages(client: "httpx.AsyncClient") -> None:
    def records(*ids: str, **changes: str) -> bytes:
        record = orjson.loads(LIBRARY)["items"][0]
        return orjson.dumps({"items": [{**record, **changes, "id": each} for each in ids]})

    async def sent(query: str, content: bytes, **fields: str) -> str:
        file = {"file": ("library.json", content)}
        return await ended(client, await client.post(f"/console/takeover?{query}", data=fields, files=file))

    await sent("dry_run=false", records("1", "a/ b"))
    await client.put("/api/items/1", json={"status": "review"})
    page = await sent("dry_run=false", records("1", title="Other"), since_last="true")
    assert '<a href="/console/items/item?id=1"><code>1</code></a>' in page
    gone = '<a href="/console/items/item?id=a%2F%20b"><code>a/ b</code></a>'
    assert gone in page
    assert gone in await sent("verify=true", records("1"))
    old = {"file": ("old.zip", registry("Pages"), "application/zip")}
    url, fields = "/console/takeover?dry_run=false", {"what": "questdb"}
    await ended(client, await client.post(url, data=fields, files=old))
    other = {"file": ("old.zip", registry("Other"), "application/zip")}
    url = "/console/takeover?verify=true"
    assert '<a href="/console/ideas/i"><code>idea i</code></a>' in await ended(
        client, await client.post(url, data=fields, files=other)
    )


async def test_what_is_no_file_and_what_is_not_chosen_is_told_on_the_page(
    client: "httpx.AsyncClient",
) -> None:
    empty = await client.post("/console/takeover", files={"file": ("", b"")})
    assert (empty.status_code, "Choose a file first" in empty.text) == (400, True)
    broken = await ended(client, await send(client, "true", b'{"items": ['))
    assert "The file ends" in broken
    packed = await ended(client, await send(client, "true", registry("Pages")))
    assert "The file is a ZIP file, not a LowDB file" in packed
    await ended(client, await send(client, "false"))
    assert ">1 item<" in (await client.get("/console/items")).text


async def test_without_a_word_about_it_a_file_is_only_tried(client: "httpx.AsyncClient") -> None:
    begun = await client.post("/console/takeover", files={"file": ("library.json", LIBRARY)})
    assert "Dry run of" in await ended(client, begun)


async def test_a_spreadsheet_goes_into_the_list_that_is_chosen(client: "httpx.AsyncClient") -> None:
    fields = {"what": "ideas", "map": "title=Name,description=Text,category=Art,priority=Rank"}
    sheet = b"Name,Text,Art,Rank,Votes\nDark mode,At night,docs,high,3\n"
    url = "/console/takeover?dry_run=false"
    page = await ended(client, await client.post(url, data=fields, files={"file": ("ours.csv", sheet)}))
    assert "left out: Votes" in page
    assert "title from Name, category from Art, priority from Rank, description from Text" in page
    dry = await client.post("/console/takeover", data=fields, files={"file": ("ours.csv", sheet)})
    preview = await ended(client, dry)
    assert "<th>title<br><small>Name</small></th>" in preview
    assert '<td data-label="title">Dark mode</td>' in preview
    assert [each["title"] for each in (await client.get("/api/v1/ideas")).json()["data"]] == ["Dark mode"]


async def test_columns_are_asked_for_by_the_name_of_their_field_and_of_spreadsheets_alone(
    client: "httpx.AsyncClient",
) -> None:
    sheet = {"file": ("ours.csv", b"Name,Text\nDark mode,At night\n")}
    told = "Columns of a spreadsheet by field: No column is mapped to title"
    for headers in ({}, {"hx-request": "true"}):
        refused = await client.post("/console/takeover", data={"what": "ideas"}, files=sheet, headers=headers)
        assert refused.status_code == 400
        assert told in (refused.text or refused.headers["hx-trigger"]), headers
    fields = {"what": "lowdb", "map": "title=Name"}
    begun = await client.post("/console/takeover", data=fields, files={"file": ("library.json", LIBRARY)})
    assert "would come in" in await ended(client, begun)


async def test_an_export_is_downloaded_from_its_page(client: "httpx.AsyncClient") -> None:
    await ended(client, await send(client, "false"))
    page = await ended(client, await client.post("/console/export", data={"form": "lowdb"}))
    found = re.search(r'href="(/console/api/v1/exports/[^"]+/download)"', page)
    assert found is not None
    download = await client.get(found[1])
    assert download.content == LIBRARY
    assert "attachment" in download.headers["content-disposition"]


def registry(title: str) -> bytes:
    """As QuestDB writes it; its last idea has no title."""
    columns = "id,title,description,status,category,priority,created_at,designated_timestamp"
    row = ",One page,backlog,guide,high,2024-05-01T12:00:00.000000Z,2024-05-01T12:00:00.000000Z\r\n"
    content = BytesIO()
    with ZipFile(content, "w") as archive:
        archive.writestr("old/documentation_ideas.csv", f"{columns}\r\ni,{title}{row}j,{row}")
    return content.getvalue()


async def test_the_old_registry_comes_in_is_compared_and_taken_back(client: "httpx.AsyncClient") -> None:
    async def post(query: str, content: bytes) -> "httpx.Response":
        url, file = f"/console/takeover?{query}", {"file": ("old.zip", content, "application/zip")}
        return await client.post(url, data={"what": "questdb", "since_last": ""}, files=file)

    dry = await ended(client, await post("dry_run=true", registry("Pages")))
    assert "documentation_ideas[1]" in dry
    assert "The first 1 of 1: mend them in the old service, or leave them." in dry
    assert "They are kept" not in dry
    assert "/rejects" not in dry
    assert "Not in the file: documentation_systems, documentation_files" in dry
    begun = await post("dry_run=false", registry("Pages"))
    page = await ended(client, begun)
    assert re.search(r"<dd>1</dd><dt>new here</dt>", page)
    assert "<code>documentation_ideas.status</code> translated in 1" in page
    rejects = re.search(r'href="(/console/api/v1/imports/[^"]+/rejects\?form=csv)"', page)
    assert rejects is not None
    assert "They are kept with their reasons" in page
    assert (await client.get(rejects[1])).text.startswith("path,reason,id,title,")
    compared = await ended(client, await post("verify=true", registry("Other")))
    assert "Comparison of old.zip" in compared
    assert "title: <del>Other</del> → <ins>Pages</ins>" in compared
    assert re.search(r"<dd>1</dd><dt>not usable</dt>", compared)
    found = re.search(r'href="(/console/api/v1/imports/[^"]+/differences)"', compared)
    assert found is not None
    assert len((await client.get(found[1])).text.splitlines()) == 2
    undone = await ended(client, await client.post(f"{begun.headers['location']}/undo"))
    assert "It is taken back." in undone
    broken = await post("dry_run=true", LIBRARY)
    assert (broken.status_code, "The file is no ZIP file; pack the folder" in broken.text) == (400, True)


async def test_a_file_is_compared_without_a_difference(client: "httpx.AsyncClient") -> None:
    await ended(client, await send(client, "false"))
    file = {"file": ("library.json", orjson.dumps({"items": orjson.loads(LIBRARY)["items"][:1]}))}
    page = await ended(client, await client.post("/console/takeover?verify=true", files=file))
    assert "No difference. Records in the file: 1, rows here: 1." in page
    sheet = await client.post(
        "/console/takeover?verify=true", data={"what": "items"}, files={"file": ("x.csv", b"a")}
    )
    assert (sheet.status_code, "Source" in sheet.text) == (400, True)


async def test_records_that_no_parser_takes_are_told_with_their_reasons(client: "httpx.AsyncClient") -> None:
    records = rb'{"items": [{"title": "a \ud800 b"}, {"title": "", "x": 1e400}, {"title": "", "x": %d}]}'
    page = await ended(client, await send(client, "false", records.replace(b"%d", b"9" * 5000)))
    for number in range(3):
        assert f"<code>items[{number}]</code>" in page
    sheet = re.search(r'href="([^"]+/rejects\?form=csv)"', page)
    assert sheet is not None
    assert "9" * 5000 in (await client.get(sheet[1])).text
