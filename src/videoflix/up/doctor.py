"""`videoflix doctor`: is everything there that an installation needs?"""

import asyncio
import logging

from rich.console import Console
from rich.table import Table
from rich.text import Text

from videoflix.up.checks import CHECKS, CHECKS_OF_THE_DATABASE, Check, Finding

PATIENCE_SECONDS = 10.0
STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def run() -> int:
    """Look at everything and print what was found; the exit code, 1 when something fails."""
    logging.disable(logging.CRITICAL)  # findings are sentences already
    findings = asyncio.run(examine())
    Console(highlight=False).print(table_of(findings))
    return int(any(finding.level == "fail" for finding in findings.values()))


async def examine() -> dict[str, Finding]:
    """What every check finds, all at once; what needs the database, only if it answers."""
    findings = await _all(CHECKS)
    if findings["Database"].level == "fail":
        away = Finding("fail", "Not checked: the database does not answer.", "Fix that first.")
        return findings | dict.fromkeys(CHECKS_OF_THE_DATABASE, away)
    return findings | await _all(CHECKS_OF_THE_DATABASE)


async def _all(checks: dict[str, Check]) -> dict[str, Finding]:
    found = await asyncio.gather(*[_in_time(check) for check in checks.values()])
    return dict(zip(checks, found, strict=True))


async def _in_time(check: Check) -> Finding:
    """A check that hangs or breaks is a finding too."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await check()
    except TimeoutError:
        words = f"No answer within {PATIENCE_SECONDS:g} seconds."
        return Finding("fail", words, "See whether its server hangs, or a firewall drops packets.")
    except Exception as error:  # the other findings are worth seeing
        said = (str(error) or type(error).__name__).splitlines()[0]
        return Finding("fail", f"{type(error).__name__}: {said}", "See the log of its server.")


def table_of(findings: dict[str, Finding]) -> Table:
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for heading in ("", "", "Result", "How to fix"):
        table.add_column(heading, overflow="fold")
    for name, finding in findings.items():
        level = Text(finding.level, style=STYLES[finding.level])
        table.add_row(level, name, finding.detail, finding.fix)
    return table
