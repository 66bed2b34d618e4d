"""Puts `videoflix up` together: database, preparation, API and workers, and their end."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from videoflix.platform.embedded import EmbeddedPostgres
from videoflix.platform.postgres_program import PostgresUnusable
from videoflix.settings import Settings, settings
from videoflix.up.address import Address, AddressUnusable, free_address, wanted_address
from videoflix.up.children import PYTHON, Child
from videoflix.up.health import NeverReady, until_ready
from videoflix.up.home import Home, HomeUnusable
from videoflix.up.preparation import PreparationFailed, Prepared, Wishes, prepare
from videoflix.up.sample import SampleFailed, show_sample
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
        home = Home(settings.videoflix_home)
        with home.held(wanted_address(host, port).url):
            address = free_address(host, port)
            home.ensure_secret_key()
            asyncio.run(Installation(home, address, screen, settings).run(sample))
    except FAILURES as error:
        screen.complain(str(error))
        return 1
    return 0


class Installation:
    """One `up`: it ends by a signal, or by raising one of FAILURES."""

    def __init__(self, home: Home, address: Address, screen: Screen, given: Settings) -> None:
        self.home = home
        self.address = address
        self.screen = screen
        self.settings = given
        self.postgres = None if given.database_url else EmbeddedPostgres(home.postgres)
        self._hurry = asyncio.Event()
        self._stop = asyncio.Event()
        self._environment = {"SITE_URL": os.environ.get("SITE_URL") or address.url}

    async def run(self, sample: bool | None) -> None:
        """Start everything in order, wait for the end, stop everything in reverse order."""
        self._hear_signals()
        try:
            if self.postgres:
                with self.screen.step("Starting Postgres …"):
                    self.postgres.start()  # here, in the main thread: it is tied to this thread
            await self._serve(sample)
        finally:
            if self.postgres:
                self.postgres.stop()
        self.screen.say("Stopped. Everything is kept; start again with: videoflix up")

    async def _serve(self, sample: bool | None) -> None:
        with self.screen.step("Preparing the database …"):
            prepared = await self._prepare()
        api, *workers = self._children()
        async with running([api, *workers]):
            with self.screen.step("Starting the API and the workers …"):
                await self._until_ready_or_stopped(api)
            if self._stop.is_set():
                return
            self._show_panel(prepared)
            wanted = prepared.admin_created if sample is None else sample
            playing = asyncio.create_task(self._sample(prepared)) if wanted else None
            await self._stop.wait()
            if playing:
                playing.cancel()
                await asyncio.gather(playing, return_exceptions=True)
            self.screen.say("Stopping …")

    async def _prepare(self) -> Prepared:
        """Migrate, and make the first administrator, whose password is shown once."""
        shown_already = not self.home.first_password_was_never_shown
        wishes = Wishes(ADMIN_EMAIL, self.home.first_password(), self.postgres is not None)
        prepared = await prepare(wishes, self._environment, self._hurry)
        if shown_already and not prepared.admin_created:
            self.home.forget_first_password()
        return prepared

    async def _until_ready_or_stopped(self, api: Child) -> None:
        ready = asyncio.create_task(until_ready(self.address.url, lambda: api.exits > 0))
        stopped = asyncio.create_task(self._stop.wait())
        done, waiting = await asyncio.wait([ready, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        if ready in done:
            ready.result()

    def _children(self) -> list[Child]:
        """The API first, then the workers."""
        serve = ["--host", self.address.host, "--port", str(self.address.port)]
        quiet = ["--no-server-header", "--no-access-log", "--log-level", "warning"]
        uvicorn = [*PYTHON, "-m", "uvicorn", "videoflix.app:create_app", "--factory"]
        worker = [*PYTHON, "-m", "videoflix.cli", "worker", "--role"]
        commands = {
            "api": [*uvicorn, *serve, *quiet, "--timeout-graceful-shutdown", "3"],
            "worker": [*worker, "default"],
        }
        for number in range(1, self._transcoders() + 1):
            commands[f"transcoder-{number}"] = [*worker, "transcode"]
        return [
            Child(
                name,
                command,
                self._environment,
                show=self.screen.line,
                logs=self.home.logs,
                hurry=self._hurry,
            )
            for name, command in commands.items()
        ]

    def _transcoders(self) -> int:
        return self.settings.transcode_workers or min(os.cpu_count() or 1, MOST_WORKERS_UNASKED)

    def _show_panel(self, prepared: Prepared) -> None:
        url = self.address.url
        rows = {
            "Watch": url,
            "API docs": f"{url}/schema",
            "Admin": f"{url}/admin",
            "Mail": f"{url}/mail",
            "Data": str(self.home.folder),
        }
        if self.home.first_password_was_never_shown:
            rows["E-mail"] = ADMIN_EMAIL
            rows["Password"] = f"{self.home.first_password()} (shown only now: keep it)"
        if prepared.jobs_handed_back:
            rows["Resumed"] = f"{prepared.jobs_handed_back} interrupted jobs"
        self.screen.panel("Videoflix is running", rows, "Ctrl-C stops everything")
        self.home.forget_first_password()

    async def _sample(self, prepared: Prepared) -> None:
        if prepared.token is None:
            self.screen.complain("No sample: there is no active administrator to upload it.")
            return
        scratch = self.home.folder / "scratch"
        try:
            await show_sample(self.address.url, prepared.token, scratch, self.screen)
        except SampleFailed as error:
            self.screen.complain(f"The sample film failed: {error} Everything else goes on.")

    def _hear_signals(self) -> None:
        """The first signal stops in order, the second one at once."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop_or_hurry)
        if _name_of(os.getppid()) == STARTER:
            loop.call_later(LOOK_EVERY_SECONDS, self._look_for_starter, os.getppid())

    def _stop_or_hurry(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def _look_for_starter(self, starter: int) -> None:
        if os.getppid() != starter:
            self._stop.set()
            return
        loop = asyncio.get_running_loop()
        loop.call_later(LOOK_EVERY_SECONDS, self._look_for_starter, starter)


@asynccontextmanager
async def running(children: list[Child]) -> AsyncGenerator[None]:
    """Keep the children running for as long as the block lasts; they end together."""
    tasks = [asyncio.create_task(child.keep_running()) for child in children]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _name_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/comm").read_text().strip()
    except OSError:
        return ""
