"""The rules of the layout that import-linter cannot say, each a function from a source tree to its
violations.

    tree.py       the source tree, parsed          slices.py   what a slice looks like and whom it may import
    placement.py  where Prisma and FastAPI may be  models.py   who touches which table

A rule has no list of exceptions. `tests/test_architecture.py` runs them on the project, and on small bad
trees.
"""
