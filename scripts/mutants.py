"""Mutation tests: break one expression at a time and see whether a test notices.

    uv run python scripts/mutants.py [--minutes 10] [--only hls]

For each module of MODULES its syntax tree is changed in one place (comparisons, `and` and `or`,
arithmetic, numbers, truth values, `return None`), and its tests run on that in a forked process:
no file changes. Prints every survivor and the share of mutants that were noticed. Mutants are taken
in a random but fixed order, and module after module in turn, until the time is over.
"""

import argparse
import ast
import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import itertools
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
# Each has a file of tests of its own that has to notice: fast, and without a database.
MODULES = (
    "videoflix.backup.zip_limits",
    "videoflix.billing.periods",
    "videoflix.billing.spreadsheet",
    "videoflix.catalog.repository.cursor",
    "videoflix.catalog.subtitles",
    "videoflix.media.filters",
    "videoflix.media.fmp4",
    "videoflix.media.ladder",
    "videoflix.media.plan",
    "videoflix.platform.auth.cookies",
    "videoflix.platform.auth.csrf",
    "videoflix.platform.auth.tokens",
    "videoflix.platform.cache.responses",
    "videoflix.platform.cache.single_flight",
    "videoflix.platform.http.params",
    "videoflix.platform.http.ranges",
    "videoflix.platform.observability.masking",
    "videoflix.platform.rate_limit.local_buckets",
    "videoflix.playback.hls",
)
# Imported once before all forks, which makes each of them fast.
HEAVY = ("litestar", "sqlalchemy.ext.asyncio", "advanced_alchemy.extensions.litestar", "httpx")
MUTANT_SECONDS = 60
# Without the database of conftest.py; that packages are imported already is what makes it fast.
OPTIONS = ["-q", "-x", "-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", "--noconftest"]
OPTIONS += ["-o", "addopts=--import-mode=importlib"]  # in this process: without xdist
OPTIONS += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
NOTICED, SURVIVED = 1, 0
SWAPS: dict[type[ast.AST], type[Any]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
Mutation = Callable[[], str]


def mutations(tree: ast.Module) -> Iterator[tuple[int, Mutation]]:
    """Each place that can be changed: its line, and what changes it and says how."""
    for node in ast.walk(tree):
        for change in _changes(node):
            yield getattr(node, "lineno", 0), change


def _changes(node: ast.AST) -> Iterator[Mutation]:
    if isinstance(node, ast.Compare):
        for place in range(len(node.ops)):
            if type(node.ops[place]) in SWAPS:
                yield partial(_swap_item, node.ops, place)
    elif isinstance(node, ast.BoolOp | ast.BinOp) and type(node.op) in SWAPS:
        yield partial(_swap_op, node)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield partial(_change_constant, node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield partial(_double_not, node)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield partial(_return_none, node)


def _swap_item(ops: list[ast.cmpop], place: int) -> str:
    before = type(ops[place])
    ops[place] = SWAPS[before]()
    return f"{before.__name__} -> {SWAPS[before].__name__}"


def _swap_op(node: ast.BoolOp | ast.BinOp) -> str:
    before = type(node.op)
    node.op = SWAPS[before]()
    return f"{before.__name__} -> {SWAPS[before].__name__}"


def _change_constant(node: ast.Constant) -> str:
    before = node.value
    assert isinstance(before, int | float)  # noqa: S101 - _changes() looked
    node.value = not before if isinstance(before, bool) else before + 1
    return f"{before!r} -> {node.value!r}"


def _double_not(node: ast.UnaryOp) -> str:
    node.operand = ast.UnaryOp(ast.Not(), node.operand)
    return "not x -> not not x"


def _return_none(node: ast.Return) -> str:
    node.value = ast.Constant(None)
    return "return None"


class MutantLoader(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a changed syntax tree, and leaves all others alone."""

    def __init__(self, module: str, tree: ast.Module, path: Path) -> None:
        self.module, self.path = module, path
        self.code = compile(ast.fix_missing_locations(tree), str(path), "exec")

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.module:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(self.path))

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(self.path)
        exec(self.code, module.__dict__)  # noqa: S102 - our own source, changed in one place


def outcome(loader: MutantLoader | None, tests: list[str]) -> int:
    """NOTICED or SURVIVED, from a forked process."""
    child = os.fork()
    if child == 0:
        signal.alarm(MUTANT_SECONDS)  # an endless loop is noticed too
        if loader:
            sys.meta_path.insert(0, loader)
        code = NOTICED
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            contextlib.suppress(BaseException),
        ):
            code = int(pytest.main([*OPTIONS, *tests]))
        os._exit(SURVIVED if code == 0 else NOTICED)
    status = os.waitpid(child, 0)[1]
    return SURVIVED if status == 0 else NOTICED


def source_of(module: str) -> Path:
    return ROOT / "src" / f"{module.replace('.', '/')}.py"


def tests_of(module: str) -> list[str]:
    """The file of tests that mirrors a module."""
    *folders, name = module.split(".")[1:]
    return ["/".join(["tests", *folders, f"test_{name}.py"])]


def mutants_of(module: str) -> list[tuple[str, int]]:
    """All mutants in the fixed order in which they are tried."""
    count = len(list(mutations(ast.parse(source_of(module).read_text()))))
    order = list(range(count))
    random.Random(module).shuffle(order)  # noqa: S311 - a sample, no secret
    return [(module, number) for number in order]


def attempt(module: str, number: int) -> str:
    """What was changed if nobody noticed, else nothing."""
    path = source_of(module)
    tree = ast.parse(path.read_text())
    line, change = list(mutations(tree))[number]
    words = change()
    if outcome(MutantLoader(module, tree, path), tests_of(module)) == NOTICED:
        return ""
    text = path.read_text().splitlines()[line - 1].strip()
    return f"{module}:{line}: {words}: {text}"


def main(minutes: float, only: str) -> int:
    os.chdir(ROOT)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["SECRET_KEY"] = "k" * 32
    for name in HEAVY:
        importlib.import_module(name)
    chosen = [module for module in MODULES if only in module]
    for module in chosen:
        if outcome(None, tests_of(module)) != SURVIVED:
            sys.exit(f"The tests of {module} fail without any mutant.")
    until = time.monotonic() + minutes * 60
    tried, noticed = dict.fromkeys(chosen, 0), dict.fromkeys(chosen, 0)
    turns = itertools.zip_longest(*(mutants_of(module) for module in chosen))
    for module, number in (mutant for turn in turns for mutant in turn if mutant):
        if time.monotonic() > until:
            break
        survivor = attempt(module, number)
        tried[module] += 1
        noticed[module] += not survivor
        if survivor:
            print(survivor, flush=True)
    for module in chosen:
        print(f"{module}: {noticed[module]} of {tried[module]} ({len(mutants_of(module))} in all)")
    total = sum(tried.values())
    print(f"score: {sum(noticed.values()) / max(1, total):.0%} of {total} mutants were noticed")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Mutation tests of fast modules.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", default="", help="modules with this in their name")
    wanted = parser.parse_args()
    sys.exit(main(wanted.minutes, wanted.only))
