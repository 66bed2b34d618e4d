"""Signed tokens and the keys they are signed with."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from videoflix.platform.auth import tokens
from videoflix.platform.auth.tokens import (
    InvalidToken,
    Purpose,
    sign,
    sign_compact,
    verify,
    verify_compact,
)
from videoflix.settings import settings

SOON = timedelta(minutes=5)


@pytest.fixture
def rotate(monkeypatch: pytest.MonkeyPatch) -> object:
    """Set other keys, as a restart with another environment does."""

    def use(secret_key: str, previous: str) -> None:
        other = msgspec.structs.replace(
            settings, secret_key=secret_key, previous_secret_keys=previous
        )
        monkeypatch.setattr(tokens, "settings", other)
        tokens._keys.cache_clear()

    yield use
    monkeypatch.undo()
    tokens._keys.cache_clear()


def test_tokens_outlive_a_change_of_the_key(rotate: object) -> None:
    assert callable(rotate)
    old = sign(Purpose.ACCESS, 7, SOON)
    rotate("n" * 40, settings.signing_key)
    assert verify(Purpose.ACCESS, old)["sub"] == "7"
    new = sign(Purpose.ACCESS, 8, SOON)
    rotate("n" * 40, "")
    assert verify(Purpose.ACCESS, new)["sub"] == "8"
    with pytest.raises(InvalidToken):
        verify(Purpose.ACCESS, old)


@pytest.mark.parametrize("token", ["", "a.b.c", "vf_x", "a" * 2000])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidToken):
        verify(Purpose.ACCESS, token)


def test_sealed_numbers_outlive_a_change_of_the_key(rotate: object) -> None:
    assert callable(rotate)
    old = sign_compact(Purpose.FILE, SOON, 7, 1)
    rotate("n" * 40, settings.signing_key)
    assert verify_compact(Purpose.FILE, old)[:2] == [7, 1]
    rotate("n" * 40, "")
    with pytest.raises(InvalidToken):
        verify_compact(Purpose.FILE, old)


def test_seals_are_for_one_purpose_and_expire() -> None:
    sealed = sign_compact(Purpose.FILE, SOON, 7)
    with pytest.raises(InvalidToken):
        verify_compact(Purpose.PLAY, sealed)
    with pytest.raises(InvalidToken):
        verify_compact(Purpose.FILE, sign_compact(Purpose.FILE, -SOON, 7))
    for changed in (f"1{sealed}", sealed.replace("7.", "8.", 1), sealed[:-1], "", ".", "7", "é.é"):
        with pytest.raises(InvalidToken):
            verify_compact(Purpose.FILE, changed)


@pytest.mark.parametrize(("ahead", "is_good"), [(1, True), (9, True), (60, False)])
def test_token_of_a_replica_whose_clock_is_ahead(ahead: int, is_good: bool) -> None:
    issued = datetime.now(UTC) + timedelta(seconds=ahead)
    token = sign(Purpose.ACCESS, 1, timedelta(minutes=5), issued_at=issued)
    if is_good:
        assert verify(Purpose.ACCESS, token)["sub"] == "1"
    else:
        with pytest.raises(InvalidToken):
            verify(Purpose.ACCESS, token)


def test_leeway_makes_nothing_live_longer() -> None:
    token = sign(Purpose.ACCESS, 1, timedelta(seconds=-1))
    with pytest.raises(InvalidToken):
        verify(Purpose.ACCESS, token)


@pytest.mark.parametrize(("count", "is_accepted"), [(10, True), (11, False)])
def test_compact_tokens_have_at_most_200_characters(count: int, is_accepted: bool) -> None:
    """Longer ones are refused before anything is computed."""
    numbers = [10**14] * count
    token = sign_compact(Purpose.FILE, SOON, *numbers)
    assert (len(token) <= 200) is is_accepted
    if is_accepted:
        assert verify_compact(Purpose.FILE, token)[:-1] == numbers
    else:
        with pytest.raises(InvalidToken):
            verify_compact(Purpose.FILE, token)
