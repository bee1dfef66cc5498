"""`python -m tests.bench`: every benchmark, one after the other."""

from tests.bench import imports

if __name__ == "__main__":
    imports.main()
