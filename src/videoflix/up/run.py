"""`videoflix up`: start the database, prepare it, run API and workers, and shut down in order."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from videoflix.platform.postgres.binaries import PostgresUnusable
from videoflix.platform.postgres.embedded import EmbeddedPostgres
from videoflix.platform.server.serve import server_arguments
from videoflix.settings import Settings, settings
from videoflix.up.address import Address, AddressUnusable, address_of, free_address
from videoflix.up.bootstrap import BootstrapFailed, BootstrapRequest, BootstrapResult, bootstrap
from videoflix.up.console import Terminal
from videoflix.up.data_dir import DataDir, DataDirUnusable
from videoflix.up.health import NeverReady, until_ready
from videoflix.up.log_format import readable
from videoflix.up.sample import SampleFailed, show_sample
from videoflix.up.supervisor import PYTHON, SupervisedProcess

ADMIN_EMAIL = "admin@videoflix.local"
DEFAULT_TRANSCODERS_MAX = 4
POLL_SECONDS = 0.5
SAME_KEYSTROKE_SECONDS = 1.0  # one Ctrl-C may be signalled twice, by the terminal and by `uv run`
STARTER = "uv"  # if `uv run` started us and was killed, it cannot forward signals

COMMANDS = (
    "videoflix --help; for litestar and procrastinate:"
    " export LITESTAR_APP=videoflix.app:create_app PROCRASTINATE_APP=videoflix.worker.queue"
)

T = TypeVar("T")


class Stopped(Exception):
    """A stop signal arrived during start."""


FAILURES = (AddressUnusable, DataDirUnusable, NeverReady, PostgresUnusable, BootstrapFailed)


def run(host: str, port: int | None, sample: bool | None) -> int:
    """Run the installation until a stop signal; return the exit status."""
    screen = Terminal()
    try:
        home = DataDir(settings.videoflix_home)
        with home.locked(address_of(host, port).url):
            address = free_address(host, port)
            home.clear_scratch()
            home.ensure_secret_key()
            asyncio.run(Installation(home, address, screen, settings).run(sample))
    except FAILURES as error:
        screen.error(str(error))
        return 1
    return 0


class Installation:
    """A running `up`; ends by a signal, or by raising one of FAILURES."""

    def __init__(self, home: DataDir, address: Address, screen: Terminal, given: Settings) -> None:
        self.home = home
        self.address = address
        self.screen = screen
        self.settings = given
        self.postgres = None if given.database_url else EmbeddedPostgres(home.postgres)
        self._force_stop = asyncio.Event()
        self._stop = asyncio.Event()
        self._stop_requested_at = 0.0
        self._environment = {
            "SITE_URL": os.environ.get("SITE_URL") or address.url,
            "LOG_FORMAT": "json",  # for the log files; formatted for the terminal
        }

    async def run(self, sample: bool | None) -> None:
        """Start everything in order, wait for a signal, stop in reverse order."""
        self._handle_signals()
        try:
            if self.postgres:
                with self.screen.step("Starting Postgres …"):
                    self.postgres.start()  # in the main thread, as PDEATHSIG requires
            await self._serve(sample)
        except Stopped:
            pass
        finally:
            if self.postgres:
                self.postgres.stop()
        self.screen.say("Stopped. All data is kept; start again with: videoflix up")

    async def _serve(self, sample: bool | None) -> None:
        with self.screen.step("Preparing the database …"):
            prepared = await self._unless_stopped(self._prepare())
        api, *workers = self._children()
        async with in_background(*[child.keep_running() for child in (api, *workers)]):
            with self.screen.step("Starting the API and the workers …"):
                ready = until_ready(self.address.url, lambda: api.exits > 0)
                await self._unless_stopped(ready)
            self._show_panel(prepared)
            wanted = prepared.first_start if sample is None else sample
            extras = [self._sample(prepared)] if wanted else []
            async with in_background(self._keep_postgres(), *extras):
                await self._stop.wait()

    async def _prepare(self) -> BootstrapResult:
        """Prepare the database, with the first administrator, whose password is shown once."""
        request = BootstrapRequest(
            ADMIN_EMAIL, self.home.first_password(), self.postgres is not None
        )
        prepared = await bootstrap(request, self._environment, self._force_stop)
        if not prepared.first_start:
            self.home.delete_first_password()
        return prepared

    async def _unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work. Raises Stopped as soon as a stop signal arrives."""
        working = asyncio.create_task(work)
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if working.done():
            return working.result()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        raise Stopped

    async def _keep_postgres(self) -> None:
        """Restart the embedded Postgres if it dies; the other processes reconnect."""
        while self.postgres:
            await asyncio.sleep(POLL_SECONDS)
            if self.postgres.pid is None:
                self.screen.line("postgres", "died, restarting")
                try:
                    self.postgres.start()
                except PostgresUnusable as error:
                    self.screen.line("postgres", str(error))

    def _children(self) -> list[SupervisedProcess]:
        """The child processes: the API first, then the workers."""
        uvicorn = [*PYTHON, "-m", "uvicorn"]
        worker = [*PYTHON, "-m", "videoflix.cli", "worker", "--role"]
        commands = {
            "api": [*uvicorn, *server_arguments(self.address.host, self.address.port)],
            "worker": [*worker, "default"],
            "maintenance": [*worker, "maintenance"],
        }
        for number in range(1, self._transcoders() + 1):
            commands[f"transcoder-{number}"] = [*worker, "transcode"]
        return [
            SupervisedProcess(
                name,
                command,
                self._environment,
                show=self._show_line,
                logs=self.home.logs,
                force_stop=self._force_stop,
            )
            for name, command in commands.items()
        ]

    def _show_line(self, source: str, line: str) -> None:
        for words in (readable(line) or "").splitlines():
            self.screen.line(source, words)

    def _transcoders(self) -> int:
        return self.settings.transcode_workers or min(os.cpu_count() or 1, DEFAULT_TRANSCODERS_MAX)

    def _show_panel(self, prepared: BootstrapResult) -> None:
        url = self.address.url
        rows = {
            "Watch": url,
            "API docs": f"{url}/schema",
            "Admin": f"{url}/admin",
            "Mail": f"{url}/mail",
            "Data": str(self.home.folder),
            "Commands": COMMANDS,
        }
        if prepared.first_start:
            rows["E-mail"] = ADMIN_EMAIL
            rows["Password"] = f"{self.home.first_password()} (shown only once: save it)"
        if prepared.jobs_handed_back:
            rows["Resumed"] = f"{prepared.jobs_handed_back} interrupted jobs"
        self.screen.panel("Videoflix is running", rows, "Press Ctrl-C to stop")
        self.home.delete_first_password()

    async def _sample(self, prepared: BootstrapResult) -> None:
        if prepared.token is None:
            self.screen.error("No sample film: there is no active administrator to upload it as.")
            return
        scratch = self.home.folder / "scratch"
        try:
            await show_sample(self.address.url, prepared.token, scratch, self.screen)
        except SampleFailed as error:
            self.screen.error(f"The sample film failed: {error} Everything else is running.")

    def _handle_signals(self) -> None:
        """The first signal stops gracefully, the second one immediately."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                loop.add_signal_handler(number, self._stop_or_force)
        if _name_of(os.getppid()) == STARTER:
            loop.call_later(POLL_SECONDS, self._watch_parent, os.getppid())

    def _stop_or_force(self) -> None:
        now = time.monotonic()
        if not self._stop.is_set():
            self._stop_requested_at = now
            self._stop.set()
            self.screen.say("Stopping …")
        elif now - self._stop_requested_at > SAME_KEYSTROKE_SECONDS:
            self._force_stop.set()

    def _watch_parent(self, starter: int) -> None:
        if os.getppid() != starter:
            self._stop_or_force()
            return
        loop = asyncio.get_running_loop()
        loop.call_later(POLL_SECONDS, self._watch_parent, starter)


@asynccontextmanager
async def in_background(*work: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Run coroutines while the block runs; an unexpected failure ends the block."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part) for part in work]
            yield
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def _name_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/comm").read_text().strip()
    except OSError:
        return ""
