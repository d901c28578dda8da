"""Bytes on disk become values: names, listings, walks, identities and digests. Reads only, and only below a root."""
