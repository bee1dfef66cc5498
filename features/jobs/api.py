"""What other slices may use of jobs: answering with a job in the one form that clients know."""

from features.jobs.schemas import STREAM, Job, show

__all__ = ["STREAM", "Job", "show"]
