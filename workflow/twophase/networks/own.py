"""A network from a Python file of the user's, which the config names with a function of it: `my_nets.py:build`.

The SHA-256 of the file is a setting of the experiment. It is taken when a run starts, and a job that finds other bytes
stops. The file has to stand alone, since an edit of a module beside it would go unnoticed. No torch: whether file and
function are there is read from the file's syntax, and only jobs that need the network run it.
"""

import ast
import contextlib
import difflib
import hashlib
import os
import re
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

from twophase.errors import UserError

# The folder of the config, from which paths start: a variable of this process and of the jobs that it starts. Where it
# is unset, they start where the process runs.
FOLDER = "TWOPHASE_CONFIG_FOLDER"
GIVEN = ("num_classes", "in_channels", "image_size")  # keyword arguments that every function gets
PLAIN = (str, int, float, type(None))  # bool is an int


def path_of(name: str) -> Path:
    """Where the file of a name is looked for."""
    return Path(os.environ.get(FOLDER, ""), os.path.expanduser(_split(name)[0]))


def sha256(name: str) -> str:
    """Of the bytes of the file.

    Raises:
        UserError: it cannot be read.
    """
    return hashlib.sha256(_bytes(name)).hexdigest()


def problem(name: str, options: Mapping) -> str | None:
    """None where the file has the function and that takes `options`, as far as its syntax tells; else one line."""
    file, function = _split(name)
    if not function.isidentifier():
        return f"{name} names no function of {Path(file).name}; write {file}:build for the function build"
    for key, value in options.items():
        if key in GIVEN:
            return f"options.{key} is what the function gets of the data set; leave it out"
        if not (isinstance(key, str) and key.isidentifier()):
            return f"options has the key {key!r}, which is no name of an argument; rename it"
        if not _is_plain(value):
            return f"options.{key} {value!r} is no plain value; give text, numbers, true, false, null, lists, mappings"
    try:
        tree = ast.parse(_bytes(name), path_of(name))
    except UserError as error:
        return str(error)
    except (SyntaxError, ValueError) as error:  # a ValueError is of a null byte
        return _said(path_of(name), error)
    return _neighbours(file, path_of(name), tree) or _wrong_call(file, function, tree, options)


def load(name: str, expected: str | None = None) -> Callable:
    """The function of a name, from the file as it is, which is run once in a process.

    Its module is among those of Python, under a name of its own, so that what it defines can be pickled.

    Args:
        expected: the SHA-256 of the file when the run began.

    Raises:
        UserError: the file has other bytes, cannot be run, or has no such function.
    """
    path, function, content = path_of(name), _split(name)[1], _bytes(name)
    found = hashlib.sha256(content).hexdigest()
    if expected not in (None, found):
        raise UserError(
            f"model: {path} was edited while the run goes on, whose networks are those of the file that it began with. "
            "Take that back, or let the run end and start it again."
        )
    module = sys.modules.get(f"{__name__}.{path.stem}_{found[:16]}")
    if module is None:
        module = ModuleType(f"{__name__}.{path.stem}_{found[:16]}")
        module.__file__ = str(path)
        sys.modules[module.__name__] = module
        try:
            with reported(path):
                exec(compile(content, path, "exec", dont_inherit=True), vars(module))
        except UserError:
            del sys.modules[module.__name__]
            raise
    if not callable(getattr(module, function, None)):
        raise UserError(f"model: {path} has no function {function}; define it, or name another.")
    return getattr(module, function)


@contextlib.contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turns whatever the user's code raises into one line that names the file and the line of it."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise UserError(f"model: {_said(path, error)}.") from error


def _split(name: str) -> tuple[str, str]:
    """Path and function of a name; an empty function where it names none."""
    path, suffix, function = re.fullmatch(r"(.*\.py)(:?)(.*)", name).groups()
    return path, function if suffix else ""


def _bytes(name: str) -> bytes:
    path = path_of(name)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(
            f"there is no file {path}; give its path as seen from the folder of the config, or from the root"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); name a Python file that can") from None


def _said(path: Path, error: BaseException) -> str:
    """What went wrong in a file, in one line, with the last line of the file that was at work."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line, reason = error.lineno, error.msg
    else:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = lines[-1] if lines else None
        reason = ": ".join(filter(None, (type(error).__name__, str(error))))
    where = str(path) if line is None else f"{path}, line {line}"
    return f"{where}: {textwrap.shorten(reason, 200)}; mend it, jobs build their network with it"


def _is_plain(value) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    return isinstance(value, PLAIN)


def _neighbours(file: str, path: Path, tree: ast.Module) -> str | None:
    """One line about an import of what lies beside the file, if there is one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""] if not node.level else ["." * node.level + (node.module or "")]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            beside = path.parent / name.partition(".")[0]
            if name.startswith(".") or beside.with_suffix(".py").exists() or any(beside.glob("*.py")):
                return (
                    f"{file}, line {node.lineno}: it imports {name} from beside it, where an edit would go unnoticed; "
                    "put all of the network into one file"
                )
    return None


def _wrong_call(file: str, function: str, tree: ast.Module, options: Mapping) -> str | None:
    """One line about a function that is not there, or takes other arguments, as far as can be seen; else None."""
    defined = _defined(tree)
    if "*" in defined:
        return None
    if function not in defined:
        close = difflib.get_close_matches(function, defined, 1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        return f"{file} has no function {function!r}{hint}; define it, or name another"
    definition = defined[function]
    if not isinstance(definition, ast.FunctionDef) or definition.decorator_list:
        return None
    arguments = definition.args
    by_position = [argument.arg for argument in arguments.args]
    by_name = [argument.arg for argument in arguments.kwonlyargs]
    optional = {*by_position[len(by_position) - len(arguments.defaults) :]}
    optional |= {key for key, default in zip(by_name, arguments.kw_defaults, strict=True) if default is not None}
    where, there, given = f"{file}, line {definition.lineno}", [*by_position, *by_name], [*GIVEN, *options]
    for key in given:
        if key not in there and not arguments.kwarg:
            what = "gets" if key in GIVEN else "gets from model.options"
            return f"{where}: {function} does not take {key}, which it {what}; it takes {', '.join(there) or 'nothing'}"
    for key in there:
        if key not in given and key not in optional:
            return f"{where}: {function} needs {key}; give it as model.options.{key}"
    return None


def _defined(tree: ast.Module) -> dict[str, ast.stmt]:
    """The names that the top level of a file may bind, with the statement of each; "*" for all of another module."""
    found = {}
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found[statement.name] = statement
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found[node.id] = statement
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                found[node.name] = statement
            elif isinstance(node, ast.alias):
                found[node.asname or node.name.partition(".")[0]] = statement
    return found
