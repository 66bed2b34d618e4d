"""Terminal output of `up`: steps, the panel, lines of child processes; plain without a TTY."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "bright_red")
NAME_WIDTH = 12


class Terminal:
    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self._colours: dict[str, str] = {}

    @property
    def is_terminal(self) -> bool:
        return self.console.is_terminal

    def say(self, sentence: str) -> None:
        self.console.print(Text(sentence))

    def error(self, sentence: str) -> None:
        self.console.print(Text(sentence, style="bold red"))

    @contextmanager
    def step(self, sentence: str) -> Iterator[None]:
        """Show a spinner while the block runs."""
        if not self.is_terminal:
            self.say(sentence)
            yield
            return
        with self.console.status(Text(sentence)):
            yield

    @contextmanager
    def progress(self, sentence: str) -> Iterator[Callable[[float], None]]:
        """Yield a callback for a progress bar, 0 to 1; without a TTY, print every quarter."""
        if not self.is_terminal:
            yield _ProgressSteps(self, sentence)
            return
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
        with Progress(*columns, TimeElapsedColumn(), console=self.console) as bar:
            task = bar.add_task(sentence, total=1.0)
            yield lambda share: bar.update(task, completed=share)
            bar.update(task, completed=1.0)

    def line(self, source: str, line: str) -> None:
        """Print a line of a child process, prefixed with its name in its colour."""
        colour = self._colours.setdefault(source, COLOURS[len(self._colours) % len(COLOURS)])
        prefix = Text(f"{source:>{NAME_WIDTH}} │ ", style=colour)
        self.console.print(prefix + Text.from_ansi(line))

    def panel(self, title: str, rows: Mapping[str, str], last_line: str) -> None:
        """Print names and values under a title."""
        if not self.is_terminal:
            self.say(title)
            for name, value in rows.items():
                self.say(f"  {name + ':':<10} {value}")
            self.say(last_line)
            return
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        for name, value in rows.items():
            style = "bold cyan underline" if value.startswith("http") else "bold"
            table.add_row(name, Text(value, style=style))
        self.console.print()
        self.console.print(
            Panel.fit(
                table,
                title=Text(title, style="bold green"),
                subtitle=Text(last_line, style="dim"),
                padding=(1, 2),
                border_style="green",
            )
        )
        self.console.print()


class _ProgressSteps:
    """Progress without a TTY: a line every quarter."""

    def __init__(self, screen: Terminal, sentence: str) -> None:
        self._screen = screen
        self._sentence = sentence
        self._next = 0

    def __call__(self, share: float) -> None:
        if share * 4 >= self._next:
            self._screen.say(f"{self._sentence}: {share:.0%}")
            self._next = int(share * 4) + 1
