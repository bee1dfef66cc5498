"""The layout's rules hold for the project, and each of them can fail."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.architecture import models, placement, slices
from tests.architecture.tree import Tree

ROOT = Path(__file__).resolve().parents[1]

Rule = Callable[[Tree], list[str]]

SCHEMA = 'model Item {\n  id String @id\n\n  @@map("items")\n}\n'
LAYERS = '[[tool.importlinter.contracts]]\ntype = "layers"\nlayers = ["core.app", "core.http : core.deps"]\n'
GOOD: Mapping[str, str] = {
    "core/__init__.py": "",
    "core/app.py": "from features.items.feature import feature as items\n\nFEATURES = (items,)\n",
    "core/http/__init__.py": "import fastapi\n",
    "features/__init__.py": "",
    "features/items/__init__.py": '"""Owns items."""\n',
    "features/items/feature.py": "from features.items.router import router\n",
    "features/items/router.py": "from fastapi import APIRouter\nfrom features.items import service\n",
    "features/items/service.py": "from features.items import queries\n",
    "features/items/queries.py": "from prisma.models import Item\n\n"
    "async def all(db): return await db.item.find_many()\n",
    "features/items/schemas.py": "from features.items.money.currency import Currency\n",
    "features/items/money/__init__.py": "",
    "features/items/money/currency.py": "",
    "prisma/schema/items.prisma": SCHEMA,
    "pyproject.toml": LAYERS,
}

BAD: Sequence[tuple[Rule, Mapping[str, str], str]] = [
    (
        slices.features_are_the_folders,
        {"features/ideas/__init__.py": "", "features/ideas/feature.py": ""},
        "features/ideas is not in FEATURES",
    ),
    (
        slices.features_are_the_folders,
        {
            "core/app.py": "from features.items.feature import feature as items\n"
            "from features.gone.feature import feature as gone\n\nFEATURES: tuple = (items, gone)\n"
        },
        "FEATURES names gone",
    ),
    (
        slices.features_are_the_folders,
        {"core/app.py": "FEATURES = ()\n"},
        "features/items is not in FEATURES",
    ),
    (
        slices.slices_have_the_known_files,
        {"features/items/rules.py": ""},
        "features/items/rules.py is not a file",
    ),
    (slices.slices_have_the_known_files, {"features/items/common/__init__.py": ""}, "common does not say"),
    (
        slices.slices_have_the_known_files,
        {"features/ideas/__init__.py": ""},
        "features/ideas has no feature.py",
    ),
    (slices.names_are_telling, {"core/http/utils.py": ""}, "core/http/utils.py does not say"),
    (slices.files_are_short, {"core/http/long.py": "x = 1\n" * 301}, "core/http/long.py has 301 lines"),
    (slices.files_are_short, {"features/items/router.py": "x = 1\n" * 201}, "router.py has 201 lines"),
    (slices.files_are_short, {"features/items/queries.py": "x = 1\n" * 201}, "queries.py has 201 lines"),
    (slices.files_are_short, {"prisma/engine/host.mjs": "let x\n" * 301}, "host.mjs has 301 lines"),
    (
        slices.slices_are_layered,
        {"features/items/schemas.py": "from features.items import service\n"},
        "features/items/schemas.py imports features.items.service",
    ),
    (
        slices.slices_are_layered,
        {"features/items/queries.py": "import features.items.router\n"},
        "features/items/queries.py imports features.items.router",
    ),
    (
        slices.slices_are_layered,
        {"features/items/lowdb/reader.py": "from features.items.api import load\n"},
        "features/items/lowdb/reader.py imports features.items.api",
    ),
    (
        slices.slices_are_layered,
        {"features/items/money/currency.py": "from features.items.errors import NoCurrency\n"},
        "features/items/schemas.py imports features.items.money",
    ),
    (
        slices.slices_meet_at_their_door,
        {"features/ideas/service.py": "from features.items import queries\n"},
        "features/ideas/service.py imports features.items.queries",
    ),
    (
        slices.slices_meet_at_their_door,
        {"features/ideas/service.py": "from features.items.schemas import Item\n"},
        "features/ideas/service.py imports features.items.schemas",
    ),
    (
        slices.updates_are_settled,
        {"features/items/schemas.py": "from core.http.request.input import Update\n"},
        "features/items/schemas.py takes an Update",
    ),
    (
        slices.doors_offer_what_is_used,
        {"features/items/api.py": "from features.items.service import find\n"},
        "features/items/api.py offers find",
    ),
    (
        slices.doors_offer_what_is_used,
        {
            "features/items/api.py": "def find(): ...\n\ndef count(): ...\n",
            "features/ideas/service.py": "from features.items import api\n\napi.count()\n",
        },
        "features/items/api.py offers find",
    ),
    (
        slices.slices_have_no_cycles,
        {
            "features/items/service.py": "from features.ideas.api import idea\n",
            "features/ideas/api.py": "from features.files import api\n",
            "features/files/api.py": "from features.items.api import item\n",
        },
        "features/items imports itself",
    ),
    (
        slices.imports_register_nothing,
        {"features/ideas/feature.py": "from features.items import api\n\napi.subscribe(print)\n"},
        "features/ideas/feature.py calls api.subscribe when it is imported",
    ),
    (
        slices.imports_register_nothing,
        {"features/ideas/router.py": "from core.http import register\n\nif True:\n    register('x')\n"},
        "features/ideas/router.py calls register when it is imported",
    ),
    (
        slices.imports_register_nothing,
        {"features/items/api.py": "LISTENERS: list = []\n"},
        "features/items/api.py has a container to be filled",
    ),
    (placement.packages_are_marked, {"core/cache/tags.py": ""}, "core/cache has no __init__.py"),
    (placement.packages_are_marked, {"prisma/__init__.py": ""}, "prisma/__init__.py hides"),
    (
        placement.prisma_stays_in_queries,
        {"features/items/service.py": "from prisma.models import Item\n"},
        "features/items/service.py imports prisma",
    ),
    (
        placement.prisma_stays_in_queries,
        {"core/http/answers/errors.py": "import prisma\n"},
        "core/http/answers/errors.py",
    ),
    (
        placement.the_web_stays_outside,
        {"features/items/service.py": "from fastapi import Request\n"},
        "features/items/service.py imports the web framework",
    ),
    (placement.the_web_stays_outside, {"core/jobs.py": "import starlette.requests\n"}, "core/jobs.py"),
    (placement.the_linter_knows_every_part, {"core/mail.py": ""}, "core.mail is in no layer"),
    (
        models.schema_files_have_an_owner,
        {"prisma/schema/ideas.prisma": "model Idea {\n  id String @id\n}\n"},
        "prisma/schema/ideas.prisma belongs to no slice",
    ),
    (
        models.models_are_touched_by_their_owner,
        {"features/ideas/queries.py": "async def count(db): return await db.item.count()\n"},
        "features/ideas/queries.py touches Item",
    ),
    (
        models.models_are_touched_by_their_owner,
        {"features/items/service.py": "async def count(tx): return await tx.item.count()\n"},
        "features/items/service.py touches Item",
    ),
    (
        models.models_are_touched_by_their_owner,
        {"features/ideas/queries.py": "from prisma.models import Item\n"},
        "features/ideas/queries.py touches Item",
    ),
    (
        models.raw_statements_stand_apart,
        {
            "features/notes/sql.py": "",
            "features/notes/queries.py": "async def find(db):\n    await db.query_raw(NOTES)\n",
        },
        "features/notes/queries.py asks with SQL",
    ),
    (
        models.raw_statements_stand_apart,
        {"features/notes/sql/match.py": "", "features/notes/service.py": "NOTES = 'SELECT 1'\n"},
        "features/notes/service.py asks with SQL",
    ),
    (
        models.tables_are_named_by_their_owner,
        {"features/ideas/queries.py": 'SQL = f"SELECT id FROM items WHERE {1}"\n'},
        "features/ideas/queries.py names the table items",
    ),
]

RULES = sorted({rule for rule, _, _ in BAD}, key=lambda rule: rule.__name__)


@pytest.fixture(scope="module")
def project() -> Tree:
    """Parsed once for all rules."""
    return Tree(ROOT)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_project_keeps_the_rule(rule: Rule, project: Tree) -> None:
    violations = rule(project)
    assert not violations, "\n".join(["", *violations])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_accepts_a_good_tree(rule: Rule, tmp_path: Path) -> None:
    assert rule(planted(tmp_path, GOOD)) == []


@pytest.mark.parametrize(
    ("rule", "files", "complaint"), BAD, ids=lambda value: getattr(value, "__name__", "")
)
def test_the_rule_sees_a_bad_tree(
    rule: Rule, files: Mapping[str, str], complaint: str, tmp_path: Path
) -> None:
    found = rule(planted(tmp_path, {**GOOD, **files}))
    assert any(complaint in violation for violation in found), found


def planted(folder: Path, files: Mapping[str, str]) -> Tree:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / "__init__.py").touch()
    return Tree(folder)
