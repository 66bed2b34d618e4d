"""HTTP API of resumable uploads."""
