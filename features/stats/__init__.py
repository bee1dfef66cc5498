"""Figures about systems, ideas and files: counts, health, series by day, search across them, recent activity.

Owns no table. It asks the other slices, through their api, for a fixed number of grouped queries a read, and
loads no rows to count them. Cached answers hang on the tags of the slices that they show, so that a write is
in the next read.
"""
