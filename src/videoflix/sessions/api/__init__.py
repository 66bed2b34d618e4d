"""HTTP API of sessions and tokens."""
