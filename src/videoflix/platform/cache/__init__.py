"""Caches of this process."""
