"""Runs what compose.yaml describes, without containers: does it start, answer, and stop in order?

    uv run python scripts/compose_without_containers.py

The same commands with the same settings: every service of our own image at once, on an empty
Postgres made for the occasion, whose schema the first API makes while the others wait. Each health
check is the one that compose.yaml names; all processes must end by themselves within their
`stop_grace_period`. Only what containers would isolate differs: the database's address, the ports,
the folders.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

import make_secrets
from videoflix.platform.postgres.embedded import EmbeddedPostgres

ROOT = Path(__file__).parents[1]
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}")
START_SECONDS = 180.0
PORT_INSIDE = "8000"
HOME_INSIDE = "/var/lib/videoflix"
SECRETS_INSIDE = "/run/secrets"


class Failed(Exception):
    """Something that compose.yaml describes does not work."""


class Process:
    """A replica of a service."""

    def __init__(
        self, name: str, service: dict[str, Any], home: Path, dsn: str, log_folder: Path
    ) -> None:
        self.name = name
        self.service = service
        self.port = free_port()
        self.log = log_folder / f"{name}.log"
        self.environment = environment_of(service, home, dsn)
        command = [self._outside(word) for word in service.get("command") or image_command()]
        if "serve" in command:
            command += ["--port", str(self.port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, cwd=home
            )

    def _outside(self, word: str) -> str:
        """What a word of a command is when ports are the machine's own."""
        return word.replace(PORT_INSIDE, str(self.port)) if PORT_INSIDE in word else word

    def until_healthy(self) -> None:
        """Run the health check of compose.yaml until it succeeds. Raises Failed."""
        test = self.service.get("healthcheck", {}).get("test")
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failed(f"{self.name} ended: {self.log.read_text()}")
            if test is None or self._passes(test[1:]):
                say(self.name, "healthy" if test else "runs")
                return
            time.sleep(0.5)
        raise Failed(f"{self.name} never became healthy: {self.log.read_text()}")

    def _passes(self, test: list[str]) -> bool:
        command = [self._outside(word) for word in test]
        done = subprocess.run(command, env=self.environment, capture_output=True, check=False)
        return done.returncode == 0

    def stop(self) -> None:
        """Ask it to end, as compose does. Raises Failed when it does not, in time and in order."""
        grace = float(str(self.service["stop_grace_period"]).rstrip("s"))
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(grace)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{self.name} did not end within {grace:g} s") from error
        if code not in {0, -signal.SIGTERM}:  # uvicorn drains, then ends by the signal it got
            raise Failed(f"{self.name} ended with {code}: {self.log.read_text()}")
        say(self.name, f"stopped after {time.monotonic() - begun:.1f} s")


def environment_of(service: dict[str, Any], home: Path, dsn: str) -> dict[str, str]:
    """The service's settings, with secrets and folders where they are on this machine."""
    secrets = home / "secrets"
    make_secrets.main(secrets)
    url = secrets / "database_url"
    url.chmod(0o600)
    url.write_text(dsn)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    given = {
        name: substituted(str(value))
        .replace(SECRETS_INSIDE, str(secrets))
        .replace(HOME_INSIDE, str(home))
        for name, value in service.get("environment", {}).items()
    }
    return {"PATH": path, "VIDEOFLIX_HOME": str(home), **given}


def substituted(text: str, variables: Mapping[str, str] | None = None) -> str:
    """Compose's ${NAME:-default}."""
    known = variables or {}
    return VARIABLE.sub(lambda found: known.get(found[1]) or found[2] or "", text)


def image_command() -> list[str]:
    """What the image runs when a service names no command."""
    found = re.search(r"^CMD (\[.*\])$", (ROOT / "Containerfile").read_text(), re.MULTILINE)
    if found is None:
        raise Failed("the Containerfile has no CMD")
    words: list[str] = json.loads(found[1])
    return words


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def say(name: str, words: str) -> None:
    sys.stdout.write(f"{name:>14}  {words}\n")
    sys.stdout.flush()


def run(compose: dict[str, Any], home: Path, dsn: str) -> None:
    """Start, check and stop everything. Raises Failed."""
    ours = {
        name: service
        for name, service in compose["services"].items()
        if service["image"] == "videoflix"
    }
    running: list[Process] = []
    try:
        for name, service in ours.items():
            running.append(Process(name, service, home, dsn, home))
        for process in running:
            process.until_healthy()
        for process in running:
            process.stop()
    finally:
        for process in running:
            process.process.kill()
            process.process.wait()


def main() -> int:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    with tempfile.TemporaryDirectory(prefix="videoflix-", dir="/tmp") as folder:
        home = Path(folder)
        home.chmod(0o711)
        with EmbeddedPostgres(home / "postgres", durable=False) as postgres:
            try:
                run(compose, home, postgres.dsn())
            except Failed as failure:
                say("FAILED", str(failure))
                return 1
    say("all", "as compose.yaml says")
    return 0


if __name__ == "__main__":
    sys.exit(main())
