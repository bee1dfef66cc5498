"""What the command line uses of imports: enqueue a source, then run the job it gets."""

from features.imports.registry.accept import accept_registry
from features.imports.registry.schemas import Options as RegistryOptions
from features.imports.registry.schemas import Source as RegistrySource
from features.imports.schemas import KIND, Options
from features.imports.service import accept_file, sweep

__all__ = ["KIND", "Options", "RegistryOptions", "RegistrySource", "accept_file", "accept_registry", "sweep"]
