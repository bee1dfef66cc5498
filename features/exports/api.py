"""What the command line uses of exports: enqueue one, then run the job it gets."""

from features.exports.service import accept

__all__ = ["accept"]
