"""Garbage collection while a program loads."""

import gc

import pytest

from videoflix.platform.loading import collection_paused


def test_collection_resumes_without_what_was_loaded() -> None:
    frozen = gc.get_freeze_count()
    with collection_paused():
        loaded: list[list[int]] = [[] for _ in range(1000)]
        with collection_paused():
            assert not gc.isenabled()
        assert not gc.isenabled(), "an inner one ends with the outer one"
    assert gc.isenabled()
    assert gc.get_freeze_count() >= frozen + len(loaded)


def test_collection_resumes_after_a_failure() -> None:
    with pytest.raises(ImportError), collection_paused():
        raise ImportError
    assert gc.isenabled()
