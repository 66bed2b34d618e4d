"""Child processes: resource limits, sandbox and scratch space."""
