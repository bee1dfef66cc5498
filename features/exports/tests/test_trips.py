"""Back and forth between the old service and this one, in any order, beside a small model of what is true."""

import copy
import json
from collections import Counter
from dataclasses import dataclass, field, replace

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.exports.tests.factories import Job, ended, exported, imported, record, stringify
from tests.fixtures.database import Connection

pytestmark = pytest.mark.slow

IDS = ("x", "y", "z")
UNUSABLE = ""

Content = tuple[str, int]
"""A title and which edit here gave it; 0 is the old service's own. An edit puts its time into the item."""

Memory = dict[str, Content]


@dataclass(frozen=True)
class Row:
    """An item here: its content, the import that wrote it last, and whether somebody has changed it since."""

    content: Content
    owner: int | None = None
    touched: bool = False


@dataclass
class Run:
    """An import: its file, what it brought and put aside, and what is known of the old service after it."""

    job_id: str
    file: dict[str, str]
    known: Memory
    wrote: Memory = field(default_factory=dict)
    images: dict[str, Row] = field(default_factory=dict)


@dataclass
class Model:
    there: dict[str, str] = field(default_factory=dict)
    here: dict[str, Row] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    edits: int = 0
    number: int = 0

    def edit(self, row_id: str, title: str) -> None:
        self.edits += 1
        self.here[row_id] = replace(self.here[row_id], content=(title, self.edits), touched=True)

    def load(self, job_id: str, mode: str) -> Counter[str]:
        """What becomes of each record, by the words of the report."""
        counts: Counter[str] = Counter()
        known = copy.copy(self.runs[-1].known) if self.runs else {}
        run, self.number = Run(job_id, dict(self.there), known), self.number + 1
        for row_id, title in self.there.items():
            if title == UNUSABLE:
                continue
            now, base, row = (title, 0), known.get(row_id), self.here.get(row_id)
            if mode == "since" and base == now:
                counts["unchanged"] += 1
            elif row is None and (mode != "since" or base is None):
                counts["new"] += 1
                self._write(run, row_id, now)
            elif row is not None and (
                row.content == now or (mode == "since" and self._agrees(row, now, base))
            ):
                counts["unchanged"] += 1
                known[row_id] = now
            elif row is not None and (mode == "overwrite" or (mode == "since" and row.content == base)):
                counts["changed"] += 1
                run.images[row_id] = row
                self._write(run, row_id, now)
            elif mode == "since":
                counts["conflicts"] += 1
        if mode == "since":
            for row_id in set(known) - set(self.there):
                if row_id in self.here:
                    counts["vanished"] += 1
                else:
                    del known[row_id]
        self.runs.append(run)
        return counts

    def _agrees(self, row: Row, now: Content, base: Content | None) -> bool:
        """By another edit than the source's, but to the same end."""
        return row.content != base and row.content[0] == now[0]

    def _write(self, run: Run, row_id: str, content: Content) -> None:
        run.wrote[row_id] = run.known[row_id] = content
        self.here[row_id] = Row(content, self.number)

    def undo(self, place: int, owners: dict[str, int]) -> str:
        """`conflicts`, or how many rows were deleted, restored and gone before."""
        run = self.runs[place]
        number = owners[run.job_id]
        counts: Counter[str] = Counter()
        for row_id, left in run.wrote.items():
            row = self.here.get(row_id)
            if row is None:
                continue
            if row.owner != number:
                others = [each for each in self.runs if owners[each.job_id] == row.owner]
                counts["conflicts"] += any(row_id in each.images for each in others)
            elif row.content[0] != left[0]:
                counts["conflicts"] += 1
        if counts["conflicts"]:
            return f"{counts['conflicts']} conflicts"
        for row_id in run.wrote:
            row = self.here.get(row_id)
            if row is None or row.owner != number:
                counts["gone"] += 1
            elif row_id in run.images:
                counts["restored"] += 1
                self.here[row_id] = run.images[row_id]
            else:
                counts["deleted"] += 1
                del self.here[row_id]
        before = self.runs[place - 1].known if place else {}
        taken = set(run.wrote)
        for later in self.runs[place + 1 :]:
            taken -= set(later.wrote)
            for row_id in taken & set(later.known):
                del later.known[row_id]
                if row_id in before:
                    later.known[row_id] = before[row_id]
        del self.runs[place]
        return f"{counts['deleted']} {counts['restored']} {counts['gone']}"

    def export(self) -> dict[str, str]:
        """The title of each id that leaves."""
        file = self.runs[-1].file if self.runs else {}
        titles = {row_id: row.content[0] for row_id, row in self.here.items()}
        for row_id, title in file.items():
            row = self.here.get(row_id)
            if title == UNUSABLE and (row is None or not row.touched):
                titles[row_id] = UNUSABLE
        for run in reversed(self.runs):
            for row_id, title in run.file.items():
                if title == UNUSABLE and row_id not in titles and row_id not in file:
                    titles[row_id] = UNUSABLE
        return titles


def old_file(there: dict[str, str]) -> bytes:
    return stringify({"items": [record(id=row_id, title=title) for row_id, title in there.items()]})


TITLES = st.sampled_from(("a", "b"))
STEPS = st.one_of(
    st.tuples(st.just("there"), st.sampled_from(IDS), st.sampled_from(("a", "b", UNUSABLE))),
    st.tuples(st.just("gone there"), st.sampled_from(IDS)),
    st.tuples(st.just("here"), st.sampled_from(IDS), TITLES),
    st.tuples(st.just("gone here"), st.sampled_from(IDS)),
    st.tuples(st.just("import"), st.sampled_from(("skip", "overwrite", "since", "since"))),
    st.tuples(st.just("import"), st.just("since")),
    st.tuples(st.just("undo"), st.integers(0, 3)),
    st.tuples(st.just("export")),
)


class Trip:
    """Does each step for real and in the model, and holds the one against the other."""

    def __init__(self, client: httpx.AsyncClient, connection: Connection) -> None:
        self.client, self.connection = client, connection
        self.model = Model()
        self.owners: dict[str, int] = {}

    async def step(self, what: str, *values: str | int) -> None:
        model = self.model
        if what == "there":
            model.there[str(values[0])] = str(values[1])
        elif what == "gone there":
            model.there.pop(str(values[0]), None)
        elif what == "here" and values[0] in model.here:
            answer = await self.client.put(f"/api/items/{values[0]}", json={"title": values[1]})
            assert answer.status_code == 200
            model.edit(str(values[0]), str(values[1]))
        elif what == "gone here" and values[0] in model.here:
            assert (await self.client.delete(f"/api/items/{values[0]}")).status_code == 200
            del model.here[str(values[0])]
        elif what == "import" and (values[0] != "since" or model.runs):
            await self._import(str(values[0]))
        elif what == "undo" and model.runs:
            await self._undo(int(values[0]) % len(model.runs))
        elif what == "export":
            await self.compare_export()
        await self._compare()

    async def _import(self, mode: str) -> None:
        fields = {"since_last": "true"} if mode == "since" else {"on_conflict": mode}
        job = await imported(self.client, old_file(self.model.there), **fields)
        counts = self.model.load(job["id"], mode)
        self.owners[job["id"]] = self.model.number
        if mode == "since":
            told = job["result"]["sinceLast"]
            names = ("new", "changed", "unchanged", "conflicts", "vanished")
            assert {name: told[name] for name in names} == {name: counts[name] for name in names}
            assert len(told["firstVanished"]) == told["vanished"]
        else:
            assert (job["result"]["imported"], job["result"]["updated"]) == (counts["new"], counts["changed"])

    async def _undo(self, place: int) -> None:
        answer = await self.client.post(f"/api/v1/imports/{self.model.runs[place].job_id}/undo")
        undo: Job = await ended(self.client, answer.json()["data"]["id"])
        result, expected = undo["result"], self.model.undo(place, self.owners)
        if undo["state"] == "failed":
            assert f"{result['conflicts']} conflicts" == expected, undo["error"]
        else:
            assert f"{result['deleted']} {result['restored']} {result['gone']}" == expected

    async def _compare(self) -> None:
        rows = await self.connection.fetch("SELECT id, title FROM items")
        titles = {row_id: row.content[0] for row_id, row in self.model.here.items()}
        assert {row["id"]: row["title"] for row in rows} == titles

    async def compare_export(self) -> None:
        content, job = await exported(self.client)
        records = json.loads(content)["items"]
        assert len({each["id"] for each in records}) == len(records) == job["result"]["records"]
        assert {each["id"]: each["title"] for each in records} == self.model.export()
        assert job["result"]["added"] == 0, "all items came by imports"


async def begin_anew(connection: Connection) -> None:
    await connection.execute("DELETE FROM items")
    for table in ("runs", "pages", "rejects", "before_images", "after_images"):
        await connection.execute(f"DELETE FROM import_{table}")


@given(steps=st.lists(STEPS, min_size=12, max_size=20))
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
async def test_every_trip_tells_the_truth(
    client: httpx.AsyncClient, connection: Connection, steps: list[tuple[str, ...]]
) -> None:
    await begin_anew(connection)
    trip = Trip(client, connection)
    for row_id, title in zip(IDS, ("a", "a", UNUSABLE), strict=True):
        await trip.step("there", row_id, title)
    await trip.step("import", "skip")
    for step in steps:
        await trip.step(*step)
    await trip.step("export")
