"""Garbage collection while a program loads."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the garbage collector, and afterwards exempt what exists from it.

    Loading creates a million objects that live as long as the process; looking through them for
    garbage again and again takes a quarter of the time of the start.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
