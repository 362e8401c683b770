"""Digests of source code, so that an edit reruns exactly the jobs whose results it can change."""

import ast
import hashlib
from functools import cache
from pathlib import Path

from twophase.errors import UserError

LIBRARY = Path(__file__).parent
SCRIPTS = LIBRARY.parent / "scripts"
# They decide how files and messages look, where and when a job runs, not what the numbers are.
NEUTRAL = {"code", "errors", "gpus", "job", "locks", "progress", "storage"}


def code_digest(script: str) -> str:
    """Sixteen hexadecimal digits for a workflow script and every library module it imports, directly or not.

    Comments, docstrings and layout do not enter.

    Args:
        script: name of a file in `workflow/scripts`, without `.py`.

    Raises:
        UserError: one of these files is not Python.
    """
    seen, waiting = {}, [SCRIPTS / f"{script}.py"]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen[path], imports = _read(path)
            waiting += [LIBRARY / f"{name}.py" for name in imports]
    whole = "".join(seen[path] for path in sorted(seen))
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def template_digests(page: str) -> list[str]:
    """Sixteen hexadecimal digits for each file that an HTML page is made from, in the order of their names."""
    files = sorted((LIBRARY / "templates").glob(f"{page}.*"))
    return [hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in files]


@cache
def _read(path: Path) -> tuple[str, frozenset[str]]:
    """The code of one file without its docstrings, and the library modules it imports."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise UserError(f"{path}, line {error.lineno}: {error.msg}; mend it, jobs import this file.") from None
    imports = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "twophase":
            imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("twophase."):
            imports.add(node.module.split(".")[1])
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    known = {name for name in imports - NEUTRAL if (LIBRARY / f"{name}.py").exists()}
    return _written(tree), frozenset(known)


def _written(node) -> str:
    """A syntax tree as text, the same by every version of Python: `ast.dump` shows fields that only some have."""
    if isinstance(node, list):
        return f"[{', '.join(map(_written, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [f"{name}={_written(value)}" for name, value in ast.iter_fields(node) if value is not None and value != []]
    return f"{type(node).__name__}({', '.join(fields)})"
