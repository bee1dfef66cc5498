"""Prisma generator that writes the typed Python client from a schema of current Prisma.

Prisma Client Python's own generator expects an older Prisma: it wants an engine binary, an engine version it
knows, and a URL in the data source. Nothing of the generated code depends on those, so this entry point fills
them in and hands the rest to the original generator.
"""

from __future__ import annotations

from typing import Any

from prisma import config
from prisma.generator import Generator
from prisma.generator.generator import BASE_PACKAGE_DIR, GenericGenerator
from prisma.generator.jsonrpc import Manifest, Request
from prisma.generator.models import PythonData


class PythonClientGenerator(GenericGenerator[PythonData]):
    def get_manifest(self) -> Manifest:
        return Manifest(name="Prisma Client Python", default_output=BASE_PACKAGE_DIR, requires_engines=[])

    def generate(self, data: PythonData) -> None:
        Generator().generate(data)

    def _on_request(self, request: Request) -> None:
        if request.method == "generate" and request.params is not None:
            _complete(request.params)
        super()._on_request(request)


def _complete(params: dict[str, Any]) -> None:
    """Adds what the generator requires and current Prisma no longer sends."""
    params["version"] = config.expected_engine_version
    params.setdefault("binaryPaths", {})
    for source in params["datasources"]:
        source["url"] = {"value": None, "fromEnvVar": "DATABASE_URL"}


if __name__ == "__main__":
    PythonClientGenerator.invoke()
