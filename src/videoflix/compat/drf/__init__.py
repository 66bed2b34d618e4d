"""Requests, answers and errors as Django REST framework writes them."""
