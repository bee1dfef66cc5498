"""Who touches which table: the schema file says whose it is, and only the owner's queries.py asks for it."""

import ast
import re
from dataclasses import dataclass

from tests.architecture.tree import Source, Tree

OPERATIONS = {
    "count",
    "create",
    "create_many",
    "delete",
    "delete_many",
    "find_first",
    "find_first_or_raise",
    "find_many",
    "find_unique",
    "find_unique_or_raise",
    "group_by",
    "query_first",
    "query_raw",
    "update",
    "update_many",
    "upsert",
}
RAW = {"execute_raw", "query_first", "query_raw", "query_text"}
NAMED_IN_SQL = r"\b(?:from|into|update|join|table)\s+\"?({tables})\"?\b"


@dataclass(frozen=True)
class Model:
    """A model of the schema: `db.<attribute>` in Python, `table` in SQL, `owner` the schema file's name."""

    name: str
    table: str
    owner: str

    @property
    def attribute(self) -> str:
        return self.name.lower()


def models_of(tree: Tree) -> list[Model]:
    block = re.compile(r"^model (\w+) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
    found = []
    for path in tree.schemas:
        for name, body in block.findall(path.read_text(encoding="utf-8")):
            mapped = re.search(r'@@map\("(\w+)"\)', body)
            found.append(Model(name, mapped[1] if mapped else name, path.stem))
    return found


def schema_files_have_an_owner(tree: Tree) -> list[str]:
    """A schema file is named after the slice, or the part of core, that owns its tables."""
    return [
        f"prisma/schema/{model.owner}.prisma belongs to no slice"
        for model in models_of(tree)
        if not any(
            (tree.root / place).exists()
            for place in (f"features/{model.owner}", f"core/{model.owner}", f"core/{model.owner}.py")
        )
    ]


def models_are_touched_by_their_owner(tree: Tree) -> list[str]:
    """The typed API of a model is called, and its class imported, only in its owner's queries.py."""
    models = models_of(tree)
    found = []
    for source in tree.sources:
        if source.is_test or source.parts[:2] == ("core", "database"):
            continue
        called = _called(source)
        for model in models:
            touched = model.attribute in called or f"prisma.models.{model.name}" in source.imports
            if touched and not (_owned(source, model) and "queries" in source.parts):
                found.append(
                    f"{source.name} touches {model.name}, which belongs to {model.owner}: to its queries"
                )
    return found


def tables_are_named_by_their_owner(tree: Tree) -> list[str]:
    """SQL naming a table stands only with its owner."""
    models = {model.table: model for model in models_of(tree)}
    pattern = re.compile(NAMED_IN_SQL.format(tables="|".join(models) or "-"), re.IGNORECASE)
    found = []
    for source in tree.sources:
        if source.is_test:
            continue
        for text in _statements(source):
            for table in sorted(set(pattern.findall(text))):
                if not _owned(source, models[table.lower()]):
                    found.append(f"{source.name} names the table {table} of {models[table.lower()].owner}")
    return found


def raw_statements_stand_apart(tree: Tree) -> list[str]:
    """A slice with a module `sql` has its raw statements there and nowhere else."""
    slices = {source.slice for source in tree.sources if source.slice and source.parts[2] == "sql"}
    return [
        f"{source.name} asks with SQL; statements of {source.slice} stand in its sql"
        for source in tree.sources
        if source.slice in slices and source.parts[2] != "sql" and not source.is_test
        if _statements(source) or _calls_raw(source)
    ]


def _calls_raw(source: Source) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr in RAW for node in source.nodes)


def _called(source: Source) -> set[str]:
    """Attributes whose typed operations it calls: `db.item.create` is one of `item`."""
    return {
        node.value.attr
        for node in source.nodes
        if isinstance(node, ast.Attribute) and node.attr in OPERATIONS
        if isinstance(node.value, ast.Attribute)
    }


def _owned(source: Source, model: Model) -> bool:
    return source.parts[0] in {"core", "features"} and source.parts[1] == model.owner


def _statements(source: Source) -> list[str]:
    """Texts that are SQL by their look, docstrings left out; the fixed parts of f-strings count too."""
    docstrings = {
        id(node.value)
        for node in source.nodes
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [
        node.value
        for node in source.nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
        if re.search(r"\b(SELECT|INSERT|UPDATE|DELETE|TRUNCATE|FROM|JOIN)\b", node.value)
    ]
