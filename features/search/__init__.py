"""Search and suggestions over the documentation: the API's own operations and events, markdown of a folder,
uploaded text files; ideas and items where they are asked for.

Owns `search_documents`, which jobs keep equal to its sources: `search.reindex` all of it, `search.index_file`
one uploaded file. Nothing else writes it, so it can be emptied at any time.
"""
