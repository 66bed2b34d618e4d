"""HTTP API of the media."""
