"""A guide as commands with their output, and what may differ between the output shown and the output printed.

In a block without a language a line that begins with `$ ` is a command, those with `> ` behind it are part of
it, and what follows is its output. `<!-- meanwhile: WHAT -->` is something that happens outside the terminal.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Final

GUIDE: Final = Path(__file__).resolve().parents[2] / "docs" / "takeover.md"

_BLOCK: Final = re.compile(
    r"^```\n(?P<block>\$ .*?)^```$|^<!-- meanwhile: (?P<event>.*?) -->$", re.MULTILINE | re.DOTALL
)
_COMMAND: Final = re.compile(r"^\$ (?P<command>.*\n(?:> .*\n)*)(?P<shown>(?:(?!\$ ).*\n)*)", re.MULTILINE)
_PROGRESS: Final = "━"
"""What only the live line of progress has, which the guide leaves out."""

_MEASURED: Final = re.compile(r"(?P<what>rows/s|seconds) +(?:(?:preflight|load|verify) [\d,.]+(?:, )?)+")
_FIGURE: Final = re.compile(r"[\d,.]*\d")
_VARIES: Final = re.compile(
    r"(?P<id>\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)"
    r"|(?P<time>\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"
    r"|(?P<digest>\b[0-9a-f]{64}\b)"
)


@dataclass(frozen=True, slots=True)
class Command:
    """`start` and `end` are where its output stands in the guide."""

    text: str
    shown: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Event:
    what: str


def parsed(guide: str) -> list[Command | Event]:
    steps: list[Command | Event] = []
    for found in _BLOCK.finditer(guide):
        if found["event"]:
            steps.append(Event(found["event"]))
            continue
        offset = found.start("block")
        for step in _COMMAND.finditer(found["block"]):
            text = step["command"].replace("\n> ", "\n").removesuffix("\n")
            steps.append(
                Command(text, step["shown"], offset + step.start("shown"), offset + step.end("shown"))
            )
    return steps


def rewritten(guide: str, outputs: Mapping[Command, str]) -> str:
    """The guide with these outputs in place of its own."""
    for command in sorted(outputs, key=lambda each: each.start, reverse=True):
        guide = guide[: command.start] + outputs[command] + guide[command.end :]
    return guide


@dataclass
class Run:
    """One walk through the guide. What differs from walk to walk, and nothing else, is told in its words:

    - `places`: the guide's folder and addresses, and what they are here;
    - `ids`: an id made in this walk stands for one id of the guide, always the same. What is in there at
      the start are ids that are the same everywhere;
    - a time within this walk may stand for any time;
    - a digest that some file of the folder has now may stand for any digest;
    - rows per second and seconds are measured.
    """

    folder: Path
    places: Mapping[str, str]
    ids: dict[str, str]
    began: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(milliseconds=1))

    def here(self, command: str) -> str:
        """The guide's command for this walk."""
        for there, here in self.places.items():
            command = command.replace(there, here)
        return _VARIES.sub(lambda found: self.ids.get(found[0], found[0]), command)

    def as_shown(self, printed: str, shown: str) -> str:
        """What was printed, in the words of the guide where it may be told so."""
        for there, here in self.places.items():
            printed = printed.replace(here, there)
        lines = [line for line in printed.splitlines() if _PROGRESS not in line]
        told = [self._line(*each) for each in zip_longest(lines, shown.splitlines(), fillvalue="")]
        return "".join(f"{line}\n" for line in told[: len(lines)])

    def _line(self, printed: str, shown: str) -> str:
        measured, told = _MEASURED.fullmatch(printed), _MEASURED.fullmatch(shown)
        if measured and told and measured["what"] == told["what"]:
            figures = iter(_FIGURE.findall(shown))
            return _FIGURE.sub(lambda found: next(figures, found[0]), printed)
        values = _VARIES.finditer(shown)
        return _VARIES.sub(lambda found: self._value(found, next(values, None)), printed)

    def _value(self, found: re.Match[str], shown: re.Match[str] | None) -> str:
        printed = found[0]
        told = shown[0] if shown and shown.lastgroup == found.lastgroup else None
        if found.lastgroup == "id":
            if told and printed not in self.ids.values():
                self.ids.setdefault(told, printed)
            return next((there for there, here in self.ids.items() if here == printed), printed)
        if found.lastgroup == "time":
            free = self.began <= datetime.fromisoformat(printed) <= datetime.now(UTC)
        else:
            contents = (path.read_bytes() for path in self.folder.iterdir() if path.is_file())
            free = printed in {hashlib.sha256(content).hexdigest() for content in contents}
        return told if told and free else printed
