"""Compatibility APIs for front ends of older backends; enabled by the setting DIALECTS.

Dialects only translate: services decide, and what they reject is rejected here too. Only app.py
imports this package.
"""
