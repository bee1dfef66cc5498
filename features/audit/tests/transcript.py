"""A transcript of the audit trail, for golden tests: requests that are numbered, and the entries they left as
lines of text.

Of an entry, without its `id` and `at`, all texts are one line, and what is no text has a line of its own;
so has each change: `field: before -> after` in JSON, or `field = value` for what has not exactly these two
sides. What the server made up is named: ids `<item 1>` in their order, request ids `<request 3>`, and
moments `<time 3>` by the request whose answer told them first. Nothing else is replaced: neither a moment
that no answer has told, nor one that a client has given.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from core.http.request.fields import now, to_iso
from features.audit.tests.test_retention import finished
from tests.fixtures.waiting import wait_for

ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{12}")
"""Rows and jobs have a UUID, keys twelve digits."""
MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def _now() -> str:
    return to_iso(now())


@dataclass
class Transcript:
    client: httpx.AsyncClient
    began: str = field(default_factory=_now)
    answered: str = ""
    requests: int = 0
    names: dict[str, str] = field(default_factory=dict)
    made: Counter[str] = field(default_factory=Counter)
    read: set[str] = field(default_factory=set)

    async def send(
        self,
        method: str,
        url: str,
        *,
        user: str | None = "ada",
        status: int = 200,
        made: str = "",
        headers: dict[str, str] | None = None,
        **content: Any,
    ) -> Any:
        """The data of the answer. Request 3 names itself `request-3`; without a `user` it says nothing about
        itself. `made`: what kind of thing has the ids in the answer.
        """
        await wait_for(lambda: _now() > self.answered)  # no two requests share a moment
        self.requests += 1
        who = {} if user is None else {"x-user-id": user, "x-request-id": f"request-{self.requests}"}
        said = {name.encode(): text.encode() for name, text in {**who, **(headers or {})}.items()}
        answer = await self.client.request(method, url, headers=said, **content)
        assert answer.status_code == status, answer.text
        if user is None:
            self._name(answer.headers["x-request-id"], f"<request {self.requests}>")
        self.answered = _now()
        body = answer.json()
        self._learn_moments(body)
        data = body.get("data", body) if isinstance(body, dict) else body
        for row in (data if isinstance(data, list) else [data]) if made else []:
            if row["id"] not in self.names:
                self.made[made] += 1
                self._name(row["id"], f"<{made} {self.made[made]}>")
        return data

    async def run(self, url: str, *, state: str = "succeeded", **content: Any) -> Any:
        """The job that a POST begins, after its end in that state."""
        begun = await self.send("POST", url, status=202, made="job", **content)
        job = await finished(self.client, f"/api/v1/jobs/{begun['id']}")
        assert job["state"] == state, job["error"]
        return job

    async def entries(self) -> str:
        """The entries since the last time, about whatever, oldest first; an empty text if there are none."""
        body = (await self.client.get("/api/v1/audit", params={"limit": 200})).json()
        assert body["count"] == body["total"], "more than one page"
        new = [entry for entry in reversed(body["data"]) if entry["id"] not in self.read]
        self.read.update(entry["id"] for entry in new)
        return "\n".join(line for entry in new for line in self._lines(entry))

    def _lines(self, entry: dict[str, Any]) -> list[str]:
        number, at, changes = entry.pop("id"), entry.pop("at"), entry.pop("changes")
        assert number.isdigit()
        if "takenOver" not in entry:
            assert MOMENT.fullmatch(at)
            assert self.began <= at <= _now()
        known = {name: self._named(value) for name, value in entry.items()}
        texts = " ".join(f"{name}={value}" for name, value in known.items() if isinstance(value, str))
        others = [f"{name}={_json(value)}" for name, value in known.items() if not isinstance(value, str)]
        return [texts, *others, *(self._change(name, changes[name]) for name in sorted(changes))]

    def _change(self, name: str, change: Any) -> str:
        change = self._named(change)
        if isinstance(change, dict) and set(change) == {"before", "after"}:
            return f"  {name}: {_json(change['before'])} -> {_json(change['after'])}"
        return f"  {name} = {_json(change)}"

    def _name(self, text: str, name: str) -> None:
        assert ID.fullmatch(text), f"{text} is not made up by the server"
        self.names[text] = name

    def _learn_moments(self, value: Any) -> None:
        if isinstance(value, dict | list):
            for each in value.values() if isinstance(value, dict) else value:
                self._learn_moments(each)
        elif isinstance(value, str) and MOMENT.fullmatch(value) and self.began <= value <= self.answered:
            self.names.setdefault(value, f"<time {self.requests}>")

    def _named(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._named(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._named(each) for each in value]
        return self.names.get(value, value) if isinstance(value, str) else value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
