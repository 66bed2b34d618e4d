"""Untrusted pictures: decoded and encoded again in a sandbox, in the sizes that are served."""
