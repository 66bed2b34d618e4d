"""Conformance of HLS: rules of RFC 8216bis, and of Apple's HLS Authoring Specification.

Parsers and rules only: nothing here reads files, a database or the network, but through the
`Source` that `check.py` is given.
"""
