"""JSON decoder that also notes the flaws which JSON's grammar lets pass."""

import json
import math


class ValueDecoder:
    """Decoder of JSON values: `decode(text, start)` returns the value and its end, or raises what `json`
    raises.

    `flaws` are those of the values decoded since it was last cleared: numbers that are none or too large,
    duplicate keys.
    """

    def __init__(self) -> None:
        self.flaws: list[str] = []
        self.decode = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_int=self._int,
            parse_float=self._float,
            parse_constant=self._constant,
        ).raw_decode

    def _object(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        value = dict(pairs)
        if len(value) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in value if names.count(name) > 1)
            self.flaws.append(f"The key {json.dumps(twice[:100])} is present twice")
        return value

    def _int(self, text: str) -> int:
        try:
            return int(text)
        except ValueError:
            self.flaws.append(f"The number {text[:40]}... has too many digits")
            return 0

    def _float(self, text: str) -> float:
        value = float(text)
        if math.isinf(value):
            self.flaws.append(f"The number {text[:40]} is too large")
        return value

    def _constant(self, text: str) -> float:
        self.flaws.append(f"{text} is not a JSON number")
        return float(text.replace("Infinity", "inf"))
