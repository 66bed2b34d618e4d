"""`videoflix up`: the whole installation as one command, supervised by one process."""
