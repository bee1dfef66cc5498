"""The table: what each operation of the two older services promised, and what the rulings made of it.

    service.py   what is asked about the service itself     items.py    the idea bank
    systems.py   the registered systems                     ideas.py    ideas for the documentation
    files.py     uploads                                    search.py   search, suggestions, specifications
    stats.py     figures

Answers name the statuses that clients know, and those that the rulings add. Any operation may besides answer
429 and 503 with the error shape.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from tests.contract.notation import Promise
from tests.contract.promises import files, ideas, items, search, service, stats, systems

SLICES: Final[Mapping[str, Sequence[Promise]]] = {
    "service": service.PROMISES,
    "items": items.PROMISES,
    "systems": systems.PROMISES,
    "ideas": ideas.PROMISES,
    "files": files.PROMISES,
    "search": search.PROMISES,
    "stats": stats.PROMISES,
}
PROMISES: Final[Sequence[Promise]] = tuple(promise for slice_ in SLICES.values() for promise in slice_)
