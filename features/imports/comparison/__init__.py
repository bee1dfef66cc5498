"""Comparison of a source with what stands here: `handover verify`, and the same over HTTP."""
