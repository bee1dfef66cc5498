"""What is found, in which order, and how it is shown: over HTTP, on documents that were really indexed."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest

from features.search.tests.factories import found_ids, put, reindex, search

GUIDE = """\
---
title: Guia de instalação
type: guide
---
# Outro título

Como fazer a instalação do serviço de autenticação e consultar as versões anteriores.
"""
SETUP = "# Setting up\n\nHow to install the authentication service, step by step, and run its migrations.\n"


@pytest.mark.parametrize(
    "q",
    [
        "instalação",
        "instalacao",
        "INSTALAÇÕES",
        "instalacoes",
        "instal",
        "serviço autenticação",
        "versao",
        "versões",
    ],
)
async def test_portuguese_is_found_with_and_without_accents(
    library: httpx.AsyncClient, docs: Path, q: str
) -> None:
    put(docs, "guia.md", GUIDE)
    put(docs, "outro.md", "# Nada\n\nTexto sem relação.\n")
    await reindex(library)
    assert await found_ids(library, q) == ["markdown:guia.md"]


@pytest.mark.parametrize(
    "q", ["installing", "installs service", "migration", "steps", "authentic", "How to install"]
)
async def test_english_is_found_by_other_forms(library: httpx.AsyncClient, docs: Path, q: str) -> None:
    put(docs, "setup.md", SETUP)
    put(docs, "other.md", "# Nothing\n\nUnrelated text.\n")
    await reindex(library)
    assert await found_ids(library, q, source="markdown") == ["markdown:setup.md"]


async def test_every_word_must_occur_and_only_the_last_may_be_cut(
    library: httpx.AsyncClient, docs: Path
) -> None:
    put(docs, "a.md", "# Alphabet\n\nbanana cherry\n")
    await reindex(library)
    assert await found_ids(library, "banana cher") == ["markdown:a.md"]
    assert await found_ids(library, "cher banana") == []
    assert await found_ids(library, "banana durian") == []


async def test_the_published_shape(library: httpx.AsyncClient, docs: Path) -> None:
    put(docs, "adr/0001.md", "# Use queues\n\nA queue between zebra writers.\n")
    await reindex(library)
    response = await library.get("/api/v1/search", params={"q": "zebra"})
    body = response.json()
    [result] = body.pop("data")
    assert body == {"success": True, "count": 1, "total": 1}
    assert 0 < result.pop("score") < 1
    assert result == {
        "id": "markdown:adr/0001.md",
        "title": "Use queues",
        "snippet": "# Use queues A queue between <mark>zebra</mark> writers.",
        "type": "adr",
        "source": "markdown",
        "link": "/api/v1/search/documents/markdown:adr/0001.md",
    }
    document = (await library.get(result["link"])).json()["data"]
    assert document["body"] == "# Use queues\n\nA queue between zebra writers."
    assert (document["id"], document["title"]) == (result["id"], result["title"])


async def test_the_title_counts_more_and_filters_hold(library: httpx.AsyncClient, docs: Path) -> None:
    put(docs, "guides/body.md", "# Something\n\nA walrus appears. The walrus leaves.\n")
    put(docs, "templates/title.md", "# The walrus\n\nText.\n")
    await reindex(library)
    title, body = "markdown:templates/title.md", "markdown:guides/body.md"
    assert await found_ids(library, "walrus") == [title, body]
    assert await found_ids(library, "walrus", limit=1) == [title]
    assert await found_ids(library, "walrus", type="guide") == [body]
    assert await found_ids(library, "walrus", source="openapi") == []
    counted = (await library.get("/api/v1/search", params={"q": "walrus", "limit": 1})).json()
    assert (counted["count"], counted["total"]) == (1, 2)


async def test_operations_and_channels_are_found(library: httpx.AsyncClient) -> None:
    await reindex(library)
    [first, *_] = await search(library, "list items", source="openapi")
    assert (first["id"], first["type"], first["link"]) == (
        "openapi:list_items",
        "endpoint",
        "/docs#/Items/list_items",
    )
    [channel, *_] = await search(library, "events job phase", source="asyncapi")
    assert (channel["id"], channel["link"]) == ("asyncapi:jobEvents", "/spec/asyncapi.yaml")
    assert (await library.get(channel["link"])).status_code == 200
    operations = (await library.get("/openapi.json")).json()["paths"]
    assert len(operations) > 20
    for path, methods in operations.items():
        for method, operation in methods.items():
            link = f"/api/v1/search/documents/openapi:{operation['operationId']}"
            assert f"({method.upper()} {path})" in (await library.get(link)).json()["data"]["title"]


async def test_accents_of_the_original_are_marked(library: httpx.AsyncClient, docs: Path) -> None:
    put(docs, "guia.md", "# Guia\n\nA Instalação e as instalações <b>não</b> são demoradas.\n")
    await reindex(library)
    [result] = await search(library, "instalacao")
    assert result["snippet"] == (
        "# Guia A <mark>Instalação</mark> e as <mark>instalações</mark> &lt;b&gt;não&lt;/b&gt; são demoradas."
    )


HOSTILE = [
    "<script>alert(1)</script> needle <img src=x onerror=alert(2)>",
    "<mark>needle</mark><mark onclick='x'>\"needle\" & 'needle'",
    "needle</mark></p><svg/onload=alert(3)>",
    "<scr<mark>ipt>needle</scr</mark>ipt> &lt;script&gt; &#60;b&#62;",
    "<needle needle='needle'>",
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_no_markup_of_a_document_survives(library: httpx.AsyncClient, docs: Path, text: str) -> None:
    put(docs, "evil.md", text)
    await reindex(library)
    for q in ("needle", "script needle", "<script> needle"):
        for result in await search(library, q, source="markdown"):
            rest = result["snippet"].replace("<mark>", "").replace("</mark>", "")
            assert not re.search(r"[<>\"']", rest), rest
            assert "<mark>needle</mark>" in result["snippet"]


async def test_a_long_document_shows_where_the_words_are(library: httpx.AsyncClient, docs: Path) -> None:
    filler = "lorem ipsum dolor " * 2000
    put(docs, "long.md", f"{filler} needle {filler} the needle lies in the haystack {filler}")
    put(docs, "endless.md", "x" * 50_000 + " needle haystack " + "y" * 40_000)
    await reindex(library)
    snippets = {each["id"]: each["snippet"] for each in await search(library, "haystack needle")}
    assert "<mark>needle</mark> lies in the <mark>haystack</mark>" in snippets["markdown:long.md"]
    assert "<mark>needle</mark> <mark>haystack</mark>" in snippets["markdown:endless.md"]
    for shown in snippets.values():
        assert shown.startswith("…")
        assert shown.endswith("…")
        assert len(shown) < 400


HARMLESS = [
    "'",
    '"',
    "\\",
    "a & | ! <-> :* ()",
    "a:*B & !c",
    "((((((",
    "%_%' OR 1=1 --",
    "-a -b +c ~d *",
    "😀 🏳️‍🌈",
    "\u202e\u200b\ufeff",
    "\ufb01 ß \u0130 \u0131",
    "日本語 العربية",
    "x" * 10_000,
    "'a' " * 2_500,
    "ção " * 2_000,
    "<script>" * 1_000,
]


@pytest.mark.parametrize("q", HARMLESS, ids=range(len(HARMLESS)))
async def test_no_query_is_an_error(library: httpx.AsyncClient, q: str) -> None:
    for path in ("/api/v1/search", "/api/v1/suggest"):
        response = await library.get(path, params={"q": q})
        assert response.status_code == 200, response.text
        assert response.json()["success"] is True


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({}, "q"),
        ({"q": ""}, "q"),
        ({"q": "  \u00a0 "}, "q"),
        ({"q": "a\0b"}, "q"),
        ({"q": "a", "type": "novel"}, "type"),
        ({"q": "a", "source": "web"}, "source"),
        ({"q": "a", "limit": "0"}, "limit"),
        ({"q": "a", "limit": "many"}, "limit"),
    ],
)
async def test_a_wrong_parameter_is_named(
    client: httpx.AsyncClient, parameters: dict[str, str], field: str
) -> None:
    response = await client.get("/api/v1/search", params=parameters)
    assert response.status_code == 400
    assert [detail["field"] for detail in response.json()["details"]] == [field]


async def test_punctuation_alone_finds_nothing(library: httpx.AsyncClient, docs: Path) -> None:
    put(docs, "a.md", "# !!!\n\n*** --- ???\n")
    await reindex(library)
    assert await found_ids(library, "!!! ***") == []


async def test_the_number_of_queries_does_not_grow(library: httpx.AsyncClient, docs: Path) -> None:
    for number in range(60):
        put(docs, f"{number}.md", f"# Penguin {number}\n\nA penguin with number {number}.\n")
    await reindex(library)
    queries = []
    for limit in (1, 50):
        response = await library.get("/api/v1/search", params={"q": "penguin", "limit": limit})
        assert response.json()["count"] == limit
        found = re.search(r'db;dur=[\d.]+;desc="(\d+) quer', response.headers["server-timing"])
        assert found, response.headers["server-timing"]
        queries.append(int(found[1]))
    assert queries == [2, 2]


async def test_answers_are_cached_until_the_index_changes(library: httpx.AsyncClient, docs: Path) -> None:
    put(docs, "a.md", "# Owl\n\nAn owl.\n")
    await reindex(library)
    outcomes = []
    for _ in range(2):
        response = await library.get("/api/v1/search", params={"q": "owl"})
        outcomes.append(response.headers["x-cache"])
    assert outcomes == ["MISS", "HIT"]
    again = {"If-None-Match": response.headers["etag"]}
    assert (await library.get("/api/v1/search", params={"q": "owl"}, headers=again)).status_code == 304
    put(docs, "b.md", "# Owls\n\nTwo owls.\n")
    await reindex(library)
    assert len(await found_ids(library, "owl")) == 2


async def test_an_unknown_document_is_404(client: httpx.AsyncClient) -> None:
    for name in ("markdown:none.md", "x", "openapi:none", "%00", "a" * 5000):
        response = await client.get(f"/api/v1/search/documents/{name}")
        assert response.status_code in (400, 404), name
        assert response.json()["success"] is False


async def test_searching_goes_on_while_the_index_changes(library: httpx.AsyncClient, docs: Path) -> None:
    for number in range(120):
        put(docs, f"{number}.md", f"# Heron {number}\n\nA heron.\n")
    await reindex(library)
    for number in range(60, 120):
        put(docs, f"{number}.md", f"# Heron {number}\n\nA heron again, changed.\n")
    working = asyncio.create_task(reindex(library))
    counts = set[int]()
    while not working.done():
        response = await library.get("/api/v1/search", params={"q": "heron", "limit": 100})
        assert response.status_code == 200
        counts.add(response.json()["total"])
    assert counts == {120}
    assert (await working)["changed"] == 60


async def test_a_large_limit_is_answered_with_the_most_there_is(client: httpx.AsyncClient) -> None:
    """The published document sets no bound, so a client that asks for more must not be refused."""
    for path in ("/api/v1/search", "/api/v1/suggest"):
        answer = await client.get(path, params={"q": "guide", "limit": 100_000})
        assert answer.status_code == 200
