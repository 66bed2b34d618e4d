"""What a person sees, with and without a terminal."""

import io

import pytest
from rich.console import Console

from videoflix.up.console import Terminal

URL = "http://127.0.0.1:8000/" + "x" * 100


class Captured(Terminal):
    """A screen of eighty columns that remembers."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.file = io.StringIO()
        self.console = Console(
            file=self.file, width=80, force_terminal=terminal, highlight=False, soft_wrap=True
        )

    @property
    def text(self) -> str:
        return self.file.getvalue()


@pytest.fixture
def plain() -> Captured:
    return Captured(terminal=False)


@pytest.fixture
def terminal() -> Captured:
    return Captured(terminal=True)


def test_without_a_terminal_everything_is_plain_lines(plain: Captured) -> None:
    with plain.step("Working …"):
        plain.say("[bold]is text[/bold]")
    plain.panel("Ready", {"Watch": URL}, "the end")
    plain.line("api", "\x1b[31mred\x1b[0m")
    assert plain.text.splitlines() == [
        "Working …",
        "[bold]is text[/bold]",
        "Ready",
        f"  Watch:     {URL}",
        "the end",
        "         api │ red",
    ]


def test_progress_without_a_terminal_is_a_line_a_quarter(plain: Captured) -> None:
    with plain.progress("Doing it") as told:
        for step in range(101):
            told(step / 100)
    assert plain.text.splitlines() == [
        f"Doing it: {share}%" for share in ("0", "25", "50", "75", "100")
    ]


def test_children_keep_their_colours(terminal: Captured) -> None:
    for name in ("api", "worker", "api"):
        terminal.line(name, "same")
    first, second, third = terminal.text.splitlines()
    assert first == third
    assert first.replace("   api", "worker") != second


def test_a_child_cannot_move_the_cursor(terminal: Captured) -> None:
    terminal.line("api", "before\x1b[2J\x1b[Hafter\x07")
    assert "\x1b[2J" not in terminal.text
    assert "\x1b[H" not in terminal.text


def test_the_panel_shows_names_and_values(terminal: Captured) -> None:
    terminal.panel("Ready", {"Watch": "http://x", "Data": "/srv"}, "the end")
    for word in ("Ready", "Watch", "http://x", "Data", "/srv", "the end"):
        assert word in terminal.text
