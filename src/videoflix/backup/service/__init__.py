"""Taking an installation out, and putting it in."""
