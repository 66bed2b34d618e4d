"""The installation's folder: one owner at a time, secrets made once and kept private."""

import os
from pathlib import Path

import pytest

from videoflix.up.data_dir import Home, HomeUnusable

URL = "http://127.0.0.1:8123"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "deep" / "home")


def test_has_one_owner_at_a_time(home: Home) -> None:
    sentence = f"running already at {URL} .process {os.getpid()}"
    with home.held(URL), pytest.raises(HomeUnusable, match=sentence):
        hold(home)
    hold(home)


def hold(home: Home) -> None:
    with Home(home.folder).held(URL):
        assert home.logs.is_dir()


def test_an_owner_that_failed_lets_go(home: Home) -> None:
    with pytest.raises(RuntimeError), home.held(URL):
        raise RuntimeError
    hold(home)


def test_is_closed_to_others(home: Home) -> None:
    with home.held(URL):
        home.ensure_secret_key()
        home.first_password()
    assert home.folder.stat().st_mode & 0o066 == 0
    for name in ("secret_key", "first_password"):
        assert (home.folder / name).stat().st_mode & 0o777 == 0o600


def test_secrets_are_made_once(home: Home) -> None:
    with home.held(URL):
        home.ensure_secret_key()
        key = (home.folder / "secret_key").read_text()
        home.ensure_secret_key()
        assert (home.folder / "secret_key").read_text() == key
        assert len(key) >= 32


def test_the_first_password_stays_until_it_is_forgotten(home: Home) -> None:
    with home.held(URL):
        first = home.first_password()
        assert home.first_password() == first
        home.forget_first_password()
        assert home.first_password() != first


def test_says_that_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeUnusable, match=r"Cannot write to .*VIDEOFLIX_HOME"):
        hold(Home(tmp_path / "file" / "home"))
