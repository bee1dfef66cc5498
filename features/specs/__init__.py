"""The service's own descriptions: OpenAPI and AsyncAPI as files, whether they are valid, both in one archive.

Owns no table. The OpenAPI document is the running app's; the AsyncAPI document describes the events of
background jobs and is made from the same types.
"""
