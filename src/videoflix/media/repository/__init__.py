"""SQL of the media."""
