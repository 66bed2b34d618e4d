"""The group of all commands.

`videoflix` also runs Litestar's own commands (`videoflix routes`, `videoflix schema openapi`), and
`litestar` lists ours, by the plugin `OperatorCommands`.
"""

import os
from pathlib import Path
from typing import Any

import click

from videoflix.platform.late_import import late

APP = "videoflix.app:create_app"
LITESTAR_GROUP = "litestar.cli.main:litestar_group"
EXISTING = click.Path(path_type=Path, exists=True, dir_okay=False)


class WithLitestar(click.Group):
    """A group that falls back to Litestar's commands for our application."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or self._litestar_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; report database errors as sentences instead of tracebacks."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            sentence = late("videoflix.up.admin:sentence_for")(error)
            if sentence is None:
                raise
            raise sentence from error

    def _litestar_command(self, ctx: click.Context, name: str) -> click.Command | None:
        os.environ.setdefault("LITESTAR_APP", APP)
        litestar: Any = late(LITESTAR_GROUP)
        litestar.list_commands(ctx)  # loads the application, which adds its plugins' commands
        command: click.Command | None = litestar.get_command(ctx, name)
        return command


@click.group(
    cls=WithLitestar,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Litestar's commands work too, such as `videoflix routes`: see `litestar --help`.",
)
@click.version_option(package_name="videoflix")
def main() -> None:
    """Videoflix: the backend of a streaming site."""
