"""What may be played, by whom, and how much at once."""
