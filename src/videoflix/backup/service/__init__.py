"""Export and import of an installation."""
