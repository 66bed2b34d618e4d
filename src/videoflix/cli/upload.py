"""The command `videoflix upload`."""

import sys
from pathlib import Path

import click

from videoflix.cli.root import main
from videoflix.platform.late_import import late

FILES = click.Path(path_type=Path, exists=True, dir_okay=False, readable=True)


@main.command()
@click.argument("files", type=FILES, nargs=-1, required=True)
@click.option(
    "--server",
    envvar="VIDEOFLIX_SERVER",
    default="http://127.0.0.1:8000",
    show_default=True,
    help="URL of the server; also VIDEOFLIX_SERVER.",
)
@click.option("--link", help="An upload link, which needs no account.")
@click.option("--title", help="Title of the film; default: the name of the file.")
@click.option("--description", default="", help="Description of the film.")
@click.option("--category", "categories", type=int, multiple=True, help="ID of a category.")
@click.option("--draft", is_flag=True, help="Do not publish the film.")
@click.option("--replace", type=click.IntRange(1), help="ID of a film whose file is replaced.")
@click.option(
    "--patience",
    type=click.IntRange(0),
    default=30,
    show_default=True,
    help="Minutes without progress after which the command gives up.",
)
def upload(
    files: tuple[Path, ...],
    server: str,
    link: str | None,
    title: str | None,
    description: str,
    categories: tuple[int, ...],
    draft: bool,
    replace: int | None,
    patience: int,
) -> None:
    """Upload films to a server, also a remote one.

    Interrupted uploads resume where they stopped: by themselves while the command runs, and when
    it is started again. The variable VIDEOFLIX_TOKEN holds an API token with the scope “write”
    (`POST /api/v1/me/tokens`); without it, the command asks for one. With --link, neither a
    server nor a token is needed.
    """
    if len(files) > 1 and (title or replace):
        raise click.UsageError("--title and --replace need a single file.")
    details = {
        "title": title or "",
        "description": description,
        "categories": ",".join(map(str, categories)),
        "publish": "false" if draft else "",
        "video": str(replace or ""),
    }
    run = late("videoflix.up.upload:run")
    given = {name: one for name, one in details.items() if one}
    sys.exit(run(files, server, link, given, patience))
