"""Probe source files in a child process."""
