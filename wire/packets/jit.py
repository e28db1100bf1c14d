"""The only two ways to compile a kernel, and where compiled kernels are kept.

Numba's own cache looks at the file of the kernel alone: after an edit of a constant or of an inlined function in
another file it goes on returning the old machine code. So every kernel is cached in a folder whose name is a hash over
the sources its module can reach by imports of ours: an edit anywhere there compiles anew, an edit elsewhere does not.

Kernels run without Numba's memory management (`_nrt=False`): every array that is handed on to an inlined function or a
tuple would otherwise be counted up and down atomically (measured: decoding costs 24 ns per packet without, 147 with).
So a kernel allocates nothing and returns no array; callers hand over the buffers it fills. np.empty, sort, copy and
assignments of slices do not compile ("NRT required but not enabled"): write loops.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numba
from llvmlite import ir
from numba.core import config, types
from numba.extending import intrinsic

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("wire", "cstor", "cvu", "lab")
KEPT_DAYS = 30

_FROM = re.compile(r"^\s*from\s+([\w.]+)\s+import\s+(\([^)]*\)|[^\n]*)", re.MULTILINE)
_IMPORT = re.compile(r"^\s*import\s+([\w.]+)", re.MULTILINE)
_DISCOVER = re.compile(r"autodiscover\(\s*[\"']([\w.]+)[\"']")


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function over arrays: runs without the GIL, allocates nothing, is kept on disk between runs."""
    previous = config.CACHE_DIR
    config.CACHE_DIR = str(_folder(Path(function.__code__.co_filename)))
    try:
        return numba.njit(cache=True, nogil=True, _nrt=False)(function)
    finally:
        config.CACHE_DIR = previous


def inline(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a small function into each kernel that calls it."""
    return numba.njit(inline="always", _nrt=False)(function)


def part(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function and let LLVM put it into each kernel that calls it.

    For what is called at one or two places and gets the state: a call of its own would put every field of every array
    of the tuple on the stack, some 150 words. `inline` copies before types are known, which takes longer to compile.
    """
    return numba.njit(forceinline=True, _nrt=False)(function)


@cache
def cache_root() -> Path:
    """The first folder of these that can be written: the user may have no home, or one that is read-only."""
    places = (("NUMBA_CACHE_DIR", ""), ("XDG_CACHE_HOME", "cclear"), ("DATA_DIR", "cache"))
    candidates = [Path(os.environ[name]) / folder for name, folder in places if os.environ.get(name)]
    candidates.append(Path("~/.cache/cclear").expanduser())
    candidates.append(Path(tempfile.gettempdir()) / f"cclear-kernels-{os.getuid()}")
    for candidate in candidates:
        root = candidate.absolute() / "kernels"
        if _usable(root):
            _remove_old(root)
            return root
    return Path(tempfile.mkdtemp(prefix="cclear-kernels-"))


def _usable(folder: Path) -> bool:
    """Ours and writable. The cache holds pickles: a folder that others can write would let them run code as us."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.stat()
        if found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return False
        with tempfile.TemporaryFile(dir=folder):
            return True
    except (OSError, RuntimeError):
        return False


def _remove_old(root: Path) -> None:
    """Drop what no run has used for a month: each edit of a kernel leaves a folder behind."""
    limit = time.time() - KEPT_DAYS * 86400
    for folder in root.iterdir():
        with suppress(OSError):  # another process may be doing the same
            if folder.is_dir() and folder.stat().st_mtime < limit:
                shutil.rmtree(folder)


@cache
def _folder(file: Path) -> Path:
    folder = cache_root() / f"{file.stem}-{source_hash(file)}"
    with suppress(OSError):
        os.utime(folder)
    return folder


@cache
def source_hash(file: Path) -> str:
    """A hash over a source file and every file of ours that it imports, however indirectly."""
    seen: set[Path] = set()
    waiting = [file.resolve()]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(_imported(path))
    digest = hashlib.sha256(f"{numba.__version__} {sys.version_info[:2]}".encode())
    for path in sorted(path for path in seen if path.is_file()):
        digest.update(str(path).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:20]


@cache
def _imported(file: Path) -> tuple[Path, ...]:
    if file == Path(__file__).resolve() or not file.is_relative_to(ROOT) or not file.is_file():
        return ()
    text = file.read_text(encoding="utf-8")
    names = set(_IMPORT.findall(text))
    for module, imported in _FROM.findall(text):
        names.add(module)
        names.update(f"{module}.{name}" for name in re.findall(r"\w+", imported))
    found = [path for name in names if name.partition(".")[0] in PACKAGES for path in _files(name)]
    for package in _DISCOVER.findall(text):
        found.extend(_discovered(package))
    return tuple(found)


def _files(name: str) -> Iterator[Path]:
    path = ROOT.joinpath(*name.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            yield candidate


def _discovered(package: str) -> Iterator[Path]:
    """Modules that a registry imports by itself, such as the metrics: no import names them."""
    yield from ROOT.joinpath(*package.split(".")).glob("*.py")


@intrinsic
def _prefetch(typing_context: Any, array: Any, place: Any) -> Any:
    """LLVM's prefetch of the cache line `place` bytes into an array's memory, for reading, into all levels."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        word, byte, number = ir.IntType(64), ir.IntType(8), ir.IntType(32)
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        address = builder.add(builder.ptrtoint(data, word), values[1])
        kind = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), number, number, number])
        call = builder.module.declare_intrinsic("llvm.prefetch", [byte.as_pointer()], kind)
        builder.call(call, [builder.inttoptr(address, byte.as_pointer()), number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@inline
def prefetch(array, place):  # type: ignore[no-untyped-def]
    """Ask for the cache line at byte `place` of an array's memory, which must be contiguous, and do not wait for it.

    A plain read would do it too, but the processor waits for it before it retires what follows, so that only as many
    reads are on their way as there are in some five hundred instructions. A place outside the array does no harm.
    """
    _prefetch(array, place)


if config.DISABLE_JIT:

    def prefetch(array: Any, place: int) -> None:
        """Nothing to be hurried where kernels are interpreted."""
