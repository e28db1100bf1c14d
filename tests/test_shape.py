"""The shape of the source: files and functions that fit in the head, names and types that say something."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.source import ROOT, Source, sources

FILE_LINES = 400
FUNCTION_LINES = 40
KERNEL_LINES = 60
BANNED = {"utils", "helpers", "common", "base", "misc", "tools"}
EMPTY = ("wire", "cstor", "cvu", "lab")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(source: Source) -> Iterator[Function]:
    return (node for node in ast.walk(source.tree) if isinstance(node, Function))


def _is_kernel(function: Function) -> bool:
    names = {ast.unparse(decorator).partition("(")[0] for decorator in function.decorator_list}
    return bool(names & {"kernel", "inline", "part"})


def _lines(function: Function) -> int:
    """Lines of the body; the docstring is prose and does not count."""
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) and len(body) > 1:
        body = body[1:]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


def _where(source: Source, line: int) -> str:
    return f"{source.path.relative_to(ROOT)}:{line}"


def test_it_keeps_files_short() -> None:
    long = [f"{_where(source, n)}" for source in sources() if (n := source.text.count("\n")) > FILE_LINES]
    assert long == []


def test_it_keeps_functions_short() -> None:
    long = [
        f"{_where(source, function.lineno)} {function.name}: {_lines(function)} lines"
        for source in sources()
        for function in _functions(source)
        if _lines(function) > (KERNEL_LINES if _is_kernel(function) else FUNCTION_LINES)
    ]
    assert long == []


def test_it_says_what_each_file_is_for() -> None:
    silent = [
        _where(source, 1)
        for source in sources()
        if source.text.strip() and not ast.get_docstring(source.tree, clean=False)
    ]
    assert silent == []


def test_it_has_no_grab_bags() -> None:
    named = [str(source.path.relative_to(ROOT)) for source in sources() if source.path.stem in BANNED]
    assert named == []


def test_it_leaves_the_packages_of_capture_empty() -> None:
    """Importing one module below loads nothing else, so that the console gets no kernels by the way."""
    full = [
        _where(source, 1)
        for source in sources()
        if source.path.name == "__init__.py" and source.package in EMPTY and source.text.strip()
    ]
    assert full == []


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX"])
def test_it_leaves_nothing_to_do(word: str) -> None:
    found = [
        _where(source, number)
        for source in sources()
        for number, line in enumerate(source.text.splitlines(), 1)
        if word in line
    ]
    assert found == []


def test_it_types_what_is_not_a_kernel() -> None:
    bare = [
        f"{_where(source, function.lineno)} {function.name}"
        for source in sources()
        for function in _functions(source)
        if function.returns is None and not _is_kernel(function)
    ]
    assert bare == []
