"""Specifications of the service: OpenAPI and AsyncAPI as files, their validation, and an archive of both.

Owns no table. The OpenAPI document is the running app's; the AsyncAPI document describes the events of
background jobs and is made from the same types.
"""
