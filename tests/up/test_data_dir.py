"""The installation's folder: one owner at a time, secrets made once and kept private."""

import os
from pathlib import Path

import pytest

from videoflix.up.data_dir import DataDir, DataDirUnusable

URL = "http://127.0.0.1:8123"


@pytest.fixture
def home(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "deep" / "home")


def test_has_one_owner_at_a_time(home: DataDir) -> None:
    sentence = f"already running at {URL} .process {os.getpid()}"
    with home.locked(URL), pytest.raises(DataDirUnusable, match=sentence):
        hold(home)
    hold(home)


def hold(home: DataDir) -> None:
    with DataDir(home.folder).locked(URL):
        assert home.logs.is_dir()


def test_an_owner_that_failed_lets_go(home: DataDir) -> None:
    with pytest.raises(RuntimeError), home.locked(URL):
        raise RuntimeError
    hold(home)


def test_is_closed_to_others(home: DataDir) -> None:
    with home.locked(URL):
        home.ensure_secret_key()
        home.first_password()
    assert home.folder.stat().st_mode & 0o066 == 0
    for name in ("secret_key", "first_password"):
        assert (home.folder / name).stat().st_mode & 0o777 == 0o600


def test_secrets_are_made_once(home: DataDir) -> None:
    with home.locked(URL):
        home.ensure_secret_key()
        key = (home.folder / "secret_key").read_text()
        home.ensure_secret_key()
        assert (home.folder / "secret_key").read_text() == key
        assert len(key) >= 32


def test_the_first_password_stays_until_it_is_forgotten(home: DataDir) -> None:
    with home.locked(URL):
        first = home.first_password()
        assert home.first_password() == first
        home.delete_first_password()
        assert home.first_password() != first


def test_says_that_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirUnusable, match=r"Cannot write to .*VIDEOFLIX_HOME"):
        hold(DataDir(tmp_path / "file" / "home"))
