"""Where packages begin, and where Prisma and the web framework may be imported."""

import tomllib

from tests.architecture.tree import Source, Tree


def packages_are_marked(tree: Tree) -> list[str]:
    """Every folder with code has an __init__.py, for tools do not see the others; `prisma/` must not have
    one.

    With one it would hide the installed package of the same name.
    """
    missing = [folder for folder in tree.folders() if not (folder / "__init__.py").exists()]
    found = [f"{folder.relative_to(tree.root).as_posix()} has no __init__.py" for folder in missing]
    if (tree.root / "prisma" / "__init__.py").exists():
        found.append("prisma/__init__.py hides the installed package prisma")
    return found


def prisma_stays_in_queries(tree: Tree) -> list[str]:
    """The client is imported only by queries.py and core/database (and by tests)."""
    return [
        f"{source.name} imports prisma; only queries do"
        for source in tree.sources
        if source.imports_from("prisma") and not (source.is_test or _may_query(source))
    ]


def _may_query(source: Source) -> bool:
    return "queries" in source.parts[1:] or source.parts[:2] == ("core", "database")


def the_web_stays_outside(tree: Tree) -> list[str]:
    """FastAPI and Starlette are imported only by routers, core/app.py, core/http, core/server, core/deps.py
    (and by tests).
    """
    return [
        f"{source.name} imports the web framework; of a slice only its router does"
        for source in tree.sources
        if (source.imports_from("fastapi") or source.imports_from("starlette"))
        and not (source.is_test or _may_speak_http(source))
    ]


def _may_speak_http(source: Source) -> bool:
    if source.slice is not None:
        return source.parts[2] == "router"
    return source.parts[:2] in {("core", "app"), ("core", "deps"), ("core", "http"), ("core", "server")}


def the_linter_knows_every_part(tree: Tree) -> list[str]:
    """Each module of core stands in import-linter's list of layers, by itself or with its package; others
    would not be checked.
    """
    settings = tomllib.loads((tree.root / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    known = tuple(f"{name}." for layer in layers for name in layer.split(" : "))
    modules = {
        ".".join(source.parts).removesuffix(".__init__")
        for source in tree.sources
        if source.parts[0] == "core" and (source.imports or source.parts[-1] != "__init__")
    }
    return [
        f"{name} is in no layer of import-linter"
        for name in sorted(modules - {"core"})
        if not f"{name}.".startswith(known)
    ]
