"""All SQL of the media."""
