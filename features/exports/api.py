"""What the command line uses of exports: enqueue one, run the job it gets, and find its file."""

from features.exports.service import accept, finished_file

__all__ = ["accept", "finished_file"]
