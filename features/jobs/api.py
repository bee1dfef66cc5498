"""What other slices may use of jobs: answering with a job in the one form that clients know."""

from features.jobs.schemas import Job, show

__all__ = ["Job", "show"]
