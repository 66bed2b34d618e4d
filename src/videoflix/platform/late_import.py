"""Imports at first use, for modules that are large and rarely needed."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def late(target: str) -> Callable[..., Any]:
    """Import the function or class `module:name` now (lazy loading).

    `videoflix --help` must work without settings, and the API need not load a PDF library before
    it renders an invoice.
    """
    module, _, name = target.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function
