"""`videoflix up`: runs the whole installation under one supervisor process."""
