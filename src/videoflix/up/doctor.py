"""`videoflix doctor`: checks everything an installation needs."""

import asyncio
import logging

from rich.console import Console
from rich.table import Table
from rich.text import Text

from videoflix.up.checks import CHECKS, CHECKS_OF_THE_DATABASE, Check, Finding

TIMEOUT_SECONDS = 10.0
STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def run() -> int:
    """Run all checks and print the findings; return the exit status, 1 if a check fails."""
    logging.disable(logging.CRITICAL)  # the findings are printed instead
    findings = asyncio.run(examine())
    Console(highlight=False).print(table_of(findings))
    return int(any(finding.level == "fail" for finding in findings.values()))


async def examine() -> dict[str, Finding]:
    """Run all checks concurrently; those that need the database only if it is available."""
    findings = await _all(CHECKS)
    if findings["Database"].level == "fail":
        away = Finding(
            "fail", "Not checked: the database is not available.", "Fix the database first."
        )
        return findings | dict.fromkeys(CHECKS_OF_THE_DATABASE, away)
    return findings | await _all(CHECKS_OF_THE_DATABASE)


async def _all(checks: dict[str, Check]) -> dict[str, Finding]:
    found = await asyncio.gather(*[_in_time(check) for check in checks.values()])
    return dict(zip(checks, found, strict=True))


async def _in_time(check: Check) -> Finding:
    """Run a check with a timeout; a hanging or failing check is a finding, too."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await check()
    except TimeoutError:
        detail = f"No response within {TIMEOUT_SECONDS:g} seconds."
        return Finding(
            "fail", detail, "Check whether its server hangs, or a firewall drops packets."
        )
    except Exception as error:  # the other findings must still be shown
        message = (str(error) or type(error).__name__).splitlines()[0]
        return Finding("fail", f"{type(error).__name__}: {message}", "Check the log of its server.")


def table_of(findings: dict[str, Finding]) -> Table:
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for heading in ("", "", "Result", "How to fix"):
        table.add_column(heading, overflow="fold")
    for name, finding in findings.items():
        level = Text(finding.level, style=STYLES[finding.level])
        table.add_row(level, name, finding.detail, finding.fix)
    return table
