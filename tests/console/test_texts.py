"""The texts of the console: each one is shown somewhere."""

import re
import tomllib

import pytest

from features.console.service.rendering import FOLDER

# A kind of run is named by its template.
SOURCES = "\n".join(
    f'"{path.stem}" {path.read_text(encoding="utf-8")}'
    for pattern in ("templates/**/*.html", "router/*.py", "service/*.py")
    for path in sorted(FOLDER.glob(pattern))
)
SECTIONS = tomllib.loads((FOLDER / "texts.toml").read_text(encoding="utf-8"))
NAMED_BY_THE_API = ("words", "count", "phase")


@pytest.mark.parametrize("section", [each for each in SECTIONS if each not in NAMED_BY_THE_API])
def test_each_text_is_used(section: str) -> None:
    by_name = f"t.{section}[" in SOURCES or re.search(r't\[record\.entity ~ "s"\]\.', SOURCES)
    unused = {
        name
        for name, text in SECTIONS[section].items()
        if not isinstance(text, dict)
        and not re.search(rf"\b(?:t|texts\(\))\.{section}\.{name}\b", SOURCES)
        and f'"{section}", "{name}"' not in SOURCES
        and not (
            (f"t.{section}[" in SOURCES or f'text("{section}", ' in SOURCES)
            and any(
                f'"{each}"' in SOURCES
                for each in (name, name.removesuffix("_about"), name.removeprefix("export_"))
            )
        )
        and not (name == "back" and by_name)
    }
    assert unused == set()
