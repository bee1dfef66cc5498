"""Rows that change because a row of another slice goes: their slice says so, and shows nothing of before."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from core.app import FEATURES
from core.cache import Policy
from core.database.writes import Write

SCHEMA = Path(__file__).resolve().parents[1] / "prisma" / "schema"
BLOCK = re.compile(r"^model (\w+) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"^\s*\w+\s+(\w+)\?? +@relation\(fields:.*onDelete: (SetNull|Cascade)", re.MULTILINE)


def models() -> dict[str, tuple[str, str]]:
    """By the model's name the slice that owns it, and its body in the schema."""
    return {
        name: (path.stem, body)
        for path in SCHEMA.glob("*.prisma")
        for name, body in BLOCK.findall(path.read_text(encoding="utf-8"))
    }


def links() -> list[tuple[str, str, str]]:
    """Of each link to another slice's rows: whose rows it changes, the model that they belong to, and the
    model whose row goes.
    """
    found = models()
    return [
        (owner, name, other)
        for name, (owner, body) in found.items()
        for other, _ in LINK.findall(body)
        if found[other][0] != owner
    ]


FEATURE = {feature.name: feature for feature in FEATURES}


def test_every_link_is_declared_and_every_declaration_is_a_link() -> None:
    declared = {(feature.name, model) for feature in FEATURES for model in feature.follows}
    found = {(owner, other) for owner, _, other in links()}
    told = [f"features/{owner}/feature.py: add {model!r} to `follows`" for owner, model in found - declared]
    told += [f"features/{owner}/feature.py: `follows` {model!r} in vain" for owner, model in declared - found]
    assert not told, "\n".join(["", *sorted(told)])
    assert ("files", "File", "System") in links()


@pytest.mark.parametrize(("owner", "name", "other"), links())
def test_what_is_cached_of_them_hangs_on_what_the_deletion_renews(owner: str, name: str, other: str) -> None:
    cache = import_module(f"features.{owner}.cache")
    policies = [value for value in vars(cache).values() if isinstance(value, Policy)]
    rule = FEATURE[models()[other][0]].renews[other]
    renewed = set(rule(Write(other, "delete", ("one",))))
    assert policies
    stale = [policy.name for policy in policies if not renewed & set(policy.tags)]
    assert not stale, f"features/{owner}/cache.py: give {stale} one of the tags {sorted(renewed)}"
