"""Prisma generator that writes the typed Python client from a schema of current Prisma.

Prisma Client Python's own generator expects an older Prisma: it wants an engine binary, an engine version it
knows, and a URL in the data source. Nothing of the generated code depends on those, so this entry point fills
them in and hands the rest to the original generator. To the types it adds what that knows nothing of: beside
its unique field a unique filter takes any other filter of the model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from prisma import config
from prisma.generator import Generator, schema
from prisma.generator.generator import BASE_PACKAGE_DIR, GenericGenerator
from prisma.generator.jsonrpc import Manifest, Request
from prisma.generator.models import PythonData

IMPORT: Final = "from typing_extensions import TypedDict, Literal"
"""As it stands in the generated types."""


class PythonClientGenerator(GenericGenerator[PythonData]):
    def get_manifest(self) -> Manifest:
        return Manifest(name="Prisma Client Python", default_output=BASE_PACKAGE_DIR, requires_engines=[])

    def generate(self, data: PythonData) -> None:
        schema.Model.where_unique = property(_extended_where_unique)
        Generator().generate(data)
        types = Path(data.generator.output.value) / "types.py"
        types.write_text(types.read_text().replace(IMPORT, f"{IMPORT}, NotRequired", 1))

    def _on_request(self, request: Request) -> None:
        if request.method == "generate" and request.params is not None:
            _complete(request.params)
        super()._on_request(request)


_where_unique: Final = schema.Model.__dict__["where_unique"].func


def _extended_where_unique(model: schema.Model) -> schema.PrismaType:
    name = model.info.name
    filters = {
        field.name: field.python_type if field.is_id or field.is_unique else field.where_input_type
        for field in model.info.all_fields
    }
    filters |= dict.fromkeys(("AND", "OR", "NOT"), f"List['{name}WhereInput']")
    unique: schema.PrismaType = _where_unique(model)
    for variant in getattr(unique, "variants", unique.subtypes):
        required = variant.fields
        variant.fields = {key: f'"NotRequired[{kind}]"' for key, kind in filters.items()} | required
    return unique


def _complete(params: dict[str, Any]) -> None:
    """Adds what the generator requires and current Prisma no longer sends."""
    params["version"] = config.expected_engine_version
    params.setdefault("binaryPaths", {})
    for source in params["datasources"]:
        source["url"] = {"value": None, "fromEnvVar": "DATABASE_URL"}


if __name__ == "__main__":
    PythonClientGenerator.invoke()
