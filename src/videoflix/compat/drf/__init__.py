"""Requests, responses and errors in the format of Django REST framework."""
