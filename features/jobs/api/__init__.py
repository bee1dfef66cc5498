"""Jobs for other slices: responses with jobs in the one form that clients know; `terminal` is for commands
that run one.
"""

from features.jobs.schemas import STREAM, Job, show
from features.jobs.service import list_page, measure_queue
