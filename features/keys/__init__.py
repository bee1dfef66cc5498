"""API keys: who may use the service with `AUTH=keys`, and with which scope.

Owns the table `api_keys`. A key is `hv_<id>_<secret>`: the id finds its row, the secret (256 random bits)
proves it. Stored is the SHA-256 of the secret. A slow hash protects words that people choose, of which few
are likely; among 2^256 equally likely secrets there is nothing to guess, so slowness would only cost every
request.

The name is the key's holder: the audit trail shows it, and private files belong to it. Several keys may have
one name, so that a key can be exchanged without a gap. Keys are revoked, never deleted, and never changed.
"""
