"""Arms the failpoints of a process: with this folder on its path, Python imports this file before anything else.

The program's source carries comments such as `# failpoint P3`. In a normal run they do not exist; here they become calls as
the source is compiled, and functions that were compiled before, in a process that `tests.warm` forked, are compiled again.
`FAILPOINT` in the environment says what happens where: `P3:2:die` ends the process when P3 is reached for the second time.
Several orders are separated by commas, and `P3:2+:...` means every time from the second on.
"""

import errno
import os
import re
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import decode_source
from types import CodeType, FunctionType, ModuleType
from typing import NoReturn

VARIABLE = "FAILPOINT"
DEAD = 137
_MARK = re.compile(r"^( *)# failpoint (\S+)$", re.MULTILINE)
_PROGRAM = "orchestrator"
_COMMIT = "P0'"
_IN_WORKER = "orchestrator.decoding.worker"

hits: Counter[str] = Counter()
orders: dict[str, list[tuple[range, str]]] = {}
broken: set[str] = set()


def reached(name: str) -> None:
    """What a mark becomes."""
    hits[name] += 1
    for when, action in orders.get(name, ()):
        if hits[name] in when:
            ACTIONS[action]()
    if name == _COMMIT and broken:
        ACTIONS[next(iter(broken))]()


def die() -> NoReturn:
    """End as by a power cut of the process; a decode worker takes the engine with it."""
    if _IN_WORKER in sys.orig_argv:
        os.kill(os.getppid(), signal.SIGKILL)
    os._exit(DEAD)


def freeze() -> None:
    """Stand still until somebody sends SIGCONT."""
    os.kill(os.getpid(), signal.SIGSTOP)


def _disk_full() -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _sqlite(message: str, code: int) -> NoReturn:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    raise error


ACTIONS: dict[str, Callable[[], object]] = {
    "die": die,
    "freeze": freeze,
    "disk-full": _disk_full,
    "sqlite-full": lambda: _sqlite("database or disk is full", sqlite3.SQLITE_FULL),
    "sqlite-error": lambda: _sqlite("disk I/O error", sqlite3.SQLITE_IOERR),
    "break-store": lambda: broken.add("sqlite-full"),
}


class Loader(SourceFileLoader):
    """Compiles the marks; nothing of it is cached on disk."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        source = _MARK.sub(r'\1__import__("builtins").failpoint("\2")', decode_source(self.get_data(path)))
        return compile(source, path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        _let_through(module)


def _let_through(module: ModuleType) -> None:
    """Let decode workers hear of the orders, too."""
    if module.__name__ == "orchestrator.results.pool":
        module._INHERITED += (VARIABLE,)  # type: ignore[attr-defined]


def _arm_again(module: ModuleType) -> None:
    """Give the functions of a module that is imported already the code that our loader would have given them."""
    if module.__spec__ is None or not isinstance(loader := module.__spec__.loader, SourceFileLoader):
        return
    if _MARK.search(decode_source(loader.get_data(loader.path))):
        codes = {code.co_qualname: code for code in _all_codes(Loader(loader.name, loader.path).get_code(loader.name))}
        for function in _functions(module):
            function.__code__ = codes[function.__qualname__]
    _let_through(module)


def _all_codes(code: CodeType) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner
            yield from _all_codes(inner)


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    own = [each for each in vars(module).values() if getattr(each, "__module__", None) == module.__name__]
    for each in own:
        for member in vars(each).values() if isinstance(each, type) else (each,):
            function = getattr(member, "__wrapped__", getattr(member, "fget", getattr(member, "__func__", member)))
            if isinstance(function, FunctionType) and function.__code__.co_filename == module.__file__:
                yield function


class Finder(MetaPathFinder):
    """Finds the program's modules as usual, and gives them our loader."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] != _PROGRAM:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = Loader(spec.loader.name, spec.loader.path)
        return spec


def _read(text: str) -> None:
    for order in text.split(","):
        name, number, action = order.split(":")
        first = int(number.removesuffix("+"))
        orders.setdefault(name, []).append((range(first, sys.maxsize if number.endswith("+") else first + 1), action))


if os.environ.get(VARIABLE):
    import builtins

    _read(os.environ[VARIABLE])
    builtins.failpoint = reached  # type: ignore[attr-defined]
    sys.meta_path.insert(0, Finder())
    for imported in [each for name, each in sys.modules.items() if name.partition(".")[0] == _PROGRAM]:
        _arm_again(imported)
