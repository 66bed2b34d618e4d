"""A real API process for tests that speak to its socket."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import msgspec
import psutil

from journeys.conftest import free_port

START_SECONDS = 60.0


class Server(msgspec.Struct):
    """Where the process listens."""

    port: int
    process: psutil.Popen

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self, data: bytes = b"", timeout: float = 10) -> socket.socket:
        """A connection on which this was sent."""
        opened = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        opened.sendall(data)
        return opened

    def ask(self, data: bytes, timeout: float = 10) -> bytes:
        """Everything the server says until it closes, or for so long."""
        with self.connect(timeout=timeout) as opened:
            with suppress(OSError):  # refused before all of it was sent
                opened.sendall(data)
            return read_all(opened)

    @property
    def memory(self) -> int:
        """Resident memory, in bytes."""
        return int(self.process.memory_info().rss)


def read_all(opened: socket.socket) -> bytes:
    received = b""
    try:
        while data := opened.recv(65_536):
            received += data
    except OSError:
        pass
    return received


def drip(opened: socket.socket, data: bytes, every: float, seconds: float) -> float:
    """Send this again and again; after how many seconds the server broke the connection."""
    begun = time.monotonic()
    with suppress(OSError):
        while time.monotonic() - begun < seconds:
            opened.sendall(data)
            time.sleep(every)
    return time.monotonic() - begun


def is_closed(opened: socket.socket, seconds: float) -> bool:
    """Whether the server closes the connection within so many seconds."""
    opened.settimeout(seconds)
    try:
        while opened.recv(65_536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def serving(
    command: tuple[str, ...] = ("videoflix.cli", "serve"), **environment: str
) -> Iterator[Server]:
    """An API process on the test run's database."""
    port = free_port()
    process = psutil.Popen(
        [sys.executable, "-m", *command, "--port", str(port)],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
    )
    server = Server(port, process)
    try:
        wait_until_live(server)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(25)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_live(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{server.url}/health/live").status_code == 200:
                return
        except httpx.TransportError:
            assert server.process.poll() is None, "the server ended"
        time.sleep(0.1)
    raise TimeoutError("the server does not answer")
