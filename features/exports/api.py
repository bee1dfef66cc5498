"""What the command line uses of exports: enqueue one, run the job it gets, and find its file."""

from features.exports.errors import TargetUnusable
from features.exports.service import accept, finished_file

__all__ = ["TargetUnusable", "accept", "finished_file"]
