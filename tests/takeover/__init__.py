"""The guide `docs/takeover.md` is followed to the letter: what its commands print is what it shows."""
