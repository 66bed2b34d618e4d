"""Imports at first use, for modules that are large and rarely needed."""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from videoflix.platform.loading import collection_paused


def late(target: str) -> Callable[..., Any]:
    """Import the function or class `module:name` now (lazy loading).

    `videoflix --help` must work without settings, and the API need not load a PDF library before
    it renders an invoice.
    """
    module, _, name = target.partition(":")
    if module not in sys.modules:
        with collection_paused():
            import_module(module)
    function: Callable[..., Any] = getattr(sys.modules[module], name)
    return function
