"""What clients of the two older services rely on, and what holds the app to it.

    notation.py    the words that the table is written in
    promises/      the table: every operation that clients may call, with the rulings worked in
    document.py    any OpenAPI document read into operations and shapes, the table's own included
    comparison.py  what a given document breaks of a promised one
    rulings.py     where the app differs from the published documents on purpose, each with its reason
    journeys.py    real answers held against the table and the app's own document
    serving.py     the app in a thread of its own, for Schemathesis

`test_comparison.py` breaks small documents on purpose: the machinery must see each fault.
"""
