"""Puts `videoflix up` together: database, preparation, API and workers, and their end."""

import asyncio

from videoflix.platform.embedded import EmbeddedPostgres
from videoflix.platform.postgres_program import PostgresUnusable
from videoflix.settings import Settings, settings
from videoflix.up.address import Address, AddressUnusable, free_address
from videoflix.up.health import NeverReady
from videoflix.up.home import Home, HomeUnusable
from videoflix.up.preparation import PreparationFailed
from videoflix.up.screen import Screen

ADMIN_EMAIL = "admin@videoflix.local"
MOST_WORKERS_UNASKED = 4
LOOK_EVERY_SECONDS = 0.5
STARTER = "uv"  # when `uv run` started us and was killed, nobody is left to stop us

FAILURES = (AddressUnusable, HomeUnusable, NeverReady, PostgresUnusable, PreparationFailed)


def run(host: str, port: int | None, sample: bool | None) -> int:
    """Run the installation until it is told to stop; the exit code."""
    screen = Screen()
    try:
        address = free_address(host, port)
        home = Home(settings.videoflix_home)
        with home.held(address.url):
            home.ensure_secret_key()
            return asyncio.run(Installation(home, address, screen, settings).run(sample))
    except FAILURES as error:
        screen.complain(str(error))
        return 1


class Installation:
    """One `up`: it ends by a signal, or by raising one of FAILURES."""

    def __init__(self, home: Home, address: Address, screen: Screen, given: Settings) -> None:
        self.home = home
        self.address = address
        self.screen = screen
        self.settings = given
        self.postgres = None if given.database_url else EmbeddedPostgres(home.postgres)
        self._hurry = asyncio.Event()
