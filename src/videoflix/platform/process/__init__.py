"""Child processes: limits, sandbox, and scratch space."""
