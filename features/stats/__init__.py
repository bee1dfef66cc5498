"""Statistics of systems, ideas and files: counts, health, series by day, search across them, recent activity.

Owns no table. A read calls a fixed number of grouped queries through the api of other slices, and loads no
rows to count them. Cached responses depend on the tags of the slices that they show, so that a write is in
the next read.
"""
