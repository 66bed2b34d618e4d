"""All SQL of exports and imports."""
