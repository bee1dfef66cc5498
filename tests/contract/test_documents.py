"""The app's OpenAPI document keeps the table's promises, and those of the published documents themselves
where they are at hand: also when a feature is added.
"""

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.contract.comparison import differences
from tests.contract.document import Document
from tests.contract.notation import document_of
from tests.contract.promises import PROMISES, SLICES
from tests.contract.rulings import ADDED, unexcused, unused

Content = dict[str, Any]

ROOT: Final = Path(__file__).resolve().parents[2]
PUBLISHED: Final = ROOT.parent / "shared" / "contracts"
NAMES: Final = ("documentation.openapi.yaml", "workspace.openapi.yaml")


def published(name: str) -> Document:
    path = PUBLISHED / name
    if not path.exists():
        pytest.skip(f"the published document {name} is not here; the table stands for it")
    return Document(yaml.safe_load(path.read_text(encoding="utf-8")))


def told(found: object) -> str:
    assert isinstance(found, list)
    return "\n".join(map(str, found))


@pytest.mark.parametrize("name", SLICES)
def test_the_app_keeps_the_promises_of_the_table(grown: Content, name: str) -> None:
    broken = unexcused(differences(Document(document_of(SLICES[name])), Document(grown)), [ADDED])
    assert not broken, told(broken)


@pytest.mark.parametrize("name", NAMES)
def test_the_app_breaks_nothing_published(grown: Content, name: str) -> None:
    broken = unexcused(differences(published(name), Document(grown)))
    assert not broken, told(broken)


@pytest.mark.parametrize("name", NAMES)
def test_the_table_holds_everything_published(name: str) -> None:
    broken = unexcused(differences(published(name), Document(document_of(PROMISES))))
    assert not broken, told(broken)


def test_every_ruling_is_needed(grown: Content) -> None:
    given = Document(grown)
    found = [each for name in NAMES for each in differences(published(name), given)]
    assert not unused(found), told(unused(found))
