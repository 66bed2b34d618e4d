"""The command line of operators."""

import click

from videoflix.cli import (
    backups,
    hls,
    job_queue,
    media,
    processes,
    seed,
    storage,
    upload,
    users,
    webhooks,
)
from videoflix.cli.root import APP, LITESTAR_GROUP, main

__all__ = [
    "APP",
    "LITESTAR_GROUP",
    "OperatorCommands",
    "backups",
    "hls",
    "job_queue",
    "main",
    "media",
    "processes",
    "seed",
    "storage",
    "upload",
    "users",
    "webhooks",
]


class OperatorCommands:
    """Litestar plugin (a CLIPluginProtocol) that adds our commands to `litestar`.

    It does not inherit from the protocol, because importing it would load all of Litestar.
    """

    def on_cli_init(self, cli: click.Group) -> None:
        for command in main.commands.values():
            cli.add_command(command)
        cli.add_command(
            processes.serve, "run"
        )  # replaces Litestar's, which starts a server without our limits
