"""Documents as files: the same document always gives the same bytes."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any, Final

import yaml

from core.jobs import JsonObject

# Earliest time of the ZIP format: the bytes must not depend on the time of the request.
_MOMENT: Final = (1980, 1, 1, 0, 0, 0)
_REGULAR_FILE: Final = 0o100644 << 16
_UNIX: Final = 3
_WIDTH: Final = 110


class _Dumper(yaml.SafeDumper):
    """YAML writer without anchors, which make a document hard to read."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def as_yaml(document: JsonObject) -> bytes:
    """Document as YAML in UTF-8, in its own order."""
    text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text.encode()


def archive(files: Mapping[str, bytes]) -> bytes:
    """ZIP whose bytes depend on names and contents alone, not on time, machine or order."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = _UNIX
            entry.external_attr = _REGULAR_FILE
            target.writestr(entry, files[name])
    return packed.getvalue()
