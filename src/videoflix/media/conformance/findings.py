"""What a check finds."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """`error`: players may fail, or a rule says MUST. `warning`: a rule says SHOULD."""

    ERROR = "error"
    WARNING = "warning"


class Finding(msgspec.Struct, frozen=True):
    """A rule that is not kept; `where` names the playlist or track, then the line or segment."""

    severity: Severity
    rule: str
    where: str
    message: str

    @property
    def track(self) -> str:
        """The playlist or track alone."""
        return self.where.partition(",")[0]


def error(rule: str, where: str, message: str) -> Finding:
    return Finding(Severity.ERROR, rule, where, message)


def warning(rule: str, where: str, message: str) -> Finding:
    return Finding(Severity.WARNING, rule, where, message)


def errors(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def bounded(findings: Iterable[Finding], limit: int) -> list[Finding]:
    """Errors first, at most `limit` of each rule and playlist; the last says how many follow."""
    groups: dict[tuple[Severity, str, str], list[Finding]] = {}
    for finding in findings:
        key = (finding.severity, finding.rule, finding.track)
        groups.setdefault(key, []).append(finding)
    kept: list[Finding] = []
    for (severity, rule, where), found in sorted(groups.items(), key=lambda group: group[0][0]):
        kept += found[:limit]
        if len(found) > limit:
            kept.append(Finding(severity, rule, where, f"{len(found) - limit} more like this."))
    return kept
