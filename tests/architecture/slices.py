"""What a slice looks like, how large its files are, and whom it may import."""

import ast
from collections.abc import Iterator

from tests.architecture.tree import Source, Tree

LONGEST_FILE = 300
LONGEST_ENTRANCE = 200
"""Lines of a router.py or queries.py."""

LEVELS = {
    "errors": 0,
    "schemas": 0,
    "settings": 0,
    "cache": 1,
    "queries": 1,
    "sql": 1,
    "service": 2,
    "api": 3,
    "commands": 4,
    "jobs": 4,
    "router": 4,
    "feature": 5,
    "tests": 6,
}
"""The names that a slice is made of; a name imports from lower levels and its own."""

PART_LEVEL = 2
"""A folder of a slice that holds one concern of its rules (a file format, a phase) stands with `service`."""

VAGUE_NAMES = {"base", "common", "helpers", "lib", "manager", "misc", "shared", "util", "utils"}

EMPTY = {"[]", "{}", "list()", "dict()", "set()"}


def features_are_the_folders(tree: Tree) -> list[str]:
    """`FEATURES` in core/app.py names every slice on disk, and only those."""
    module = ast.parse((tree.root / "core" / "app.py").read_text(encoding="utf-8"))
    imported: dict[str, str] = {}
    listed: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            parts = node.module.split(".")
            if parts[0] == "features" and parts[-1] == "feature":
                imported |= {alias.asname or alias.name: parts[1] for alias in node.names}
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and target.id == "FEATURES" and isinstance(value, ast.Tuple):
            listed |= {element.id for element in value.elts if isinstance(element, ast.Name)}
    mounted = {imported[name] for name in listed if name in imported}
    on_disk = {folder.name for folder in tree.slices}
    missing = [f"features/{name} is not in FEATURES of core/app.py" for name in sorted(on_disk - mounted)]
    return missing + [f"FEATURES names {name}, which is no folder" for name in sorted(mounted - on_disk)]


def slices_have_the_known_files(tree: Tree) -> list[str]:
    """The file names of a slice are those of LEVELS; folders beside them have a telling name."""
    found = []
    for folder in tree.slices:
        for entry in sorted(folder.iterdir()):
            name = f"features/{folder.name}/{entry.name}"
            if entry.suffix == ".py" and entry.stem not in {*LEVELS, "__init__"} - {"tests"}:
                found.append(f"{name} is not a file name of a slice; CONTRIBUTING.md lists them")
            if entry.is_dir() and entry.name in VAGUE_NAMES:
                found.append(f"{name} does not say what it holds")
        for required in ("__init__.py", "feature.py"):
            if not (folder / required).exists():
                found.append(f"features/{folder.name} has no {required}")
    return found


def names_are_telling(tree: Tree) -> list[str]:
    """No file anywhere is called utils, helpers, common, manager."""
    return [
        f"{source.name} does not say what it holds"
        for source in tree.sources
        if source.path.stem in VAGUE_NAMES
    ]


def files_are_short(tree: Tree) -> list[str]:
    """300 lines, and 200 for router.py and queries.py; JavaScript too."""
    found = []
    for source in tree.sources:
        entrance = source.slice is not None and source.parts[2] in {"router", "queries"}
        limit = LONGEST_ENTRANCE if entrance else LONGEST_FILE
        if source.lines > limit:
            found.append(f"{source.name} has {source.lines} lines, more than {limit}: split it by concern")
    for path in sorted((tree.root / "prisma").glob("engine/*.mjs")):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > LONGEST_FILE:
            found.append(f"prisma/engine/{path.name} has {lines} lines, more than {LONGEST_FILE}")
    return found


def slices_are_layered(tree: Tree) -> list[str]:
    """Inside a slice: tests > feature > router|jobs|commands > api > service > queries|sql|cache >
    schemas|errors|settings. A folder that imports nothing else of its slice is open to all of it.
    """
    found = []
    standing = {(source.slice, source.parts[2]) for source in tree.sources if _own_parts(source)}
    for source in tree.sources:
        if source.slice is None or source.is_test or source.parts[2] == "__init__":
            continue
        for target in sorted(_own_parts(source)):
            above = _level(target) > _level(source.parts[2])
            if above and (target in LEVELS or (source.slice, target) in standing):
                found.append(f"{source.name} imports features.{source.slice}.{target}, which stands above it")
    return found


def _own_parts(source: Source) -> set[str]:
    """The other parts of its slice that it imports."""
    own = f"features.{source.slice}."
    parts = {name.removeprefix(own).split(".")[0] for name in source.imports if name.startswith(own)}
    return parts - {source.parts[2]} if source.slice else set()


def slices_meet_at_their_door(tree: Tree) -> list[str]:
    """Another slice is imported only through its api.py."""
    found = []
    for source in tree.sources:
        for imported in sorted(source.imports):
            parts = imported.split(".")
            foreign = parts[0] == "features" and len(parts) > 1 and parts[1] != source.slice
            if source.slice is not None and foreign and parts[2:3] != ["api"]:
                place = "in tests/fixtures" if parts[2:3] == ["tests"] else "through their api"
                found.append(f"{source.name} imports {imported}; other slices are met {place}")
    return found


def updates_are_settled(tree: Tree) -> list[str]:
    """A slice that takes an `Update` settles what that holds back, which would be lost unseen."""
    own = [source for source in tree.sources if source.slice is not None and not source.is_test]
    settling = {source.slice for source in own if _calls(source, "settle")}
    return [
        f"{source.name} takes an Update, and its service never calls its `settle`"
        for source in own
        if "core.http.request.input.Update" in source.imports and source.slice not in settling
    ]


def _calls(source: Source, name: str) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name
        for node in ast.walk(source.tree)
    )


def doors_offer_what_is_used(tree: Tree) -> list[str]:
    """Each public name of an api.py is used there or in another file."""
    used = {name for source in tree.sources for name in _used(source)}
    found = []
    for source in tree.sources:
        module = ".".join(source.parts).removesuffix(".__init__")
        if source.slice is None or module != f"features.{source.slice}.api":
            continue
        names = [node for node in source.nodes if isinstance(node, ast.Name)]
        own = {node.id for node in names if isinstance(node.ctx, ast.Load)}
        found += [
            f"{source.name} offers {name}, which nobody uses"
            for node in source.tree.body
            for name in _bound(node)
            if not (name.startswith("_") or name in own or f"{module}.{name}" in used)
        ]
    return found


def _bound(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ImportFrom | ast.Import):
        return [alias.asname or alias.name for alias in node.names]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    return [node.target.id] if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) else []


def _used(source: Source) -> set[str]:
    """Dotted names that it imports, and those of the doors that it imports as modules."""
    if not any(name.startswith("features.") and name.endswith(".api") for name in source.imports):
        return {*source.imports}
    doors = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in source.nodes
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == "api"
    }
    return {*source.imports} | {
        f"{doors[node.value.id]}.{node.attr}"
        for node in source.nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in doors
    }


def slices_have_no_cycles(tree: Tree) -> list[str]:
    """No slice can be reached from itself by imports."""
    uses: dict[str, set[str]] = {}
    for source in tree.sources:
        if source.slice is not None and not source.is_test:
            uses.setdefault(source.slice, set()).update(_slices_used(source))
    found = []
    for start in sorted(uses):
        reached, waiting = set[str](), set(uses[start])
        while waiting:
            name = waiting.pop()
            reached.add(name)
            waiting |= uses.get(name, set()) - reached
        if start in reached:
            found.append(f"features/{start} imports itself through other slices")
    return found


def imports_register_nothing(tree: Tree) -> list[str]:
    """No module of a slice calls what is another's for its effect while it is imported, or has an empty
    container at hand for others to fill.
    """
    found = []
    for source in tree.sources:
        if source.slice is None or source.is_test:
            continue
        for node in _run_by_import(source.tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                name = ast.unparse(node.value.func)
                if name.partition(".")[0] in _foreign_names(source):
                    found.append(f"{source.name} calls {name} when it is imported; say it in the manifest")
            elif (
                isinstance(node, ast.Assign | ast.AnnAssign)
                and node.value
                and ast.unparse(node.value) in EMPTY
            ):
                found.append(f"{source.name} has a container to be filled; let the manifest say it")
    return found


def _run_by_import(module: ast.Module) -> Iterator[ast.stmt]:
    waiting: list[ast.AST] = [module]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                waiting.append(node)
                if isinstance(node, ast.stmt):
                    yield node


def _foreign_names(source: Source) -> set[str]:
    """What it has imported from outside its slice."""
    found = set()
    for node in source.nodes:
        origin = node.module or "" if isinstance(node, ast.ImportFrom) else ""
        if isinstance(node, ast.Import | ast.ImportFrom) and not origin.startswith(
            f"features.{source.slice}."
        ):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return found


def _slices_used(source: Source) -> set[str]:
    names = (name.split(".") for name in source.imports)
    return {parts[1] for parts in names if parts[0] == "features" and len(parts) > 1} - {source.slice or ""}


def _level(name: str) -> int:
    return LEVELS.get(name, PART_LEVEL)
