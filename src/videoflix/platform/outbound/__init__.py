"""Outgoing HTTP to URLs that users gave: guarded against server-side request forgery."""
