"""A source tree as the rules see it: Python files with their imports, and the schema files."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGES = ("core", "features", "tests")


@dataclass(frozen=True)
class Source:
    """One Python file; `parts` is its path below the root without `.py`."""

    root: Path
    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(self.root).as_posix()

    @property
    def parts(self) -> tuple[str, ...]:
        return self.path.relative_to(self.root).with_suffix("").parts

    @property
    def is_test(self) -> bool:
        return "tests" in self.parts

    @property
    def slice(self) -> str | None:
        """The feature it belongs to."""
        return self.parts[1] if self.parts[0] == "features" and len(self.parts) > 2 else None

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def nodes(self) -> Sequence[ast.AST]:
        return tuple(ast.walk(self.tree))

    @property
    def lines(self) -> int:
        return len(self.path.read_text(encoding="utf-8").splitlines())

    @cached_property
    def imports(self) -> frozenset[str]:
        """Dotted names; `from a.b import c` counts as `a.b.c`, for c may be a module."""
        found: set[str] = set()
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
        return frozenset(found)

    def imports_from(self, package: str) -> bool:
        return any(name == package or name.startswith(f"{package}.") for name in self.imports)


@dataclass(frozen=True)
class Tree:
    """The project's root, or a small bad one."""

    root: Path

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        paths = (path for package in PACKAGES for path in (self.root / package).rglob("*.py"))
        return tuple(Source(self.root, path) for path in sorted(paths))

    @property
    def slices(self) -> tuple[Path, ...]:
        folder = self.root / "features"
        return tuple(sorted(path for path in folder.iterdir() if path.is_dir() and holds_code(path)))

    @property
    def schemas(self) -> tuple[Path, ...]:
        return tuple(sorted((self.root / "prisma" / "schema").glob("*.prisma")))

    def folders(self) -> Iterator[Path]:
        """Every folder with code below the packages."""
        for package in PACKAGES:
            for path in [self.root / package, *sorted((self.root / package).rglob("*"))]:
                if path.is_dir() and holds_code(path):
                    yield path


def holds_code(folder: Path) -> bool:
    return folder.name != "__pycache__" and any(folder.rglob("*.py"))
