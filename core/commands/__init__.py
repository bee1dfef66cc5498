"""Groups of commands of `handover`, one module each; `core.cli` puts them together."""
