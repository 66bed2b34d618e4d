"""Probes source files in a child process of their own."""
