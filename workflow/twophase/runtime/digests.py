"""Digests of source code that follow meaning, so that an edit reruns exactly the jobs whose results it can change.

A digest covers the definitions that a script reaches: its own, and the functions, classes and constants of the library
that they use, directly or not. What does not enter: docstrings, comments, layout and annotations; messages (what is
inside `raise`, `print`, a warning or an error); and where a definition lies, since references are by a definition's own
name and the order is by content. So a module can be moved, renamed or split, and a message reworded, without
retraining anything.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

from twophase.errors import UserError

LIBRARY = Path(__file__).parents[1]
SCRIPTS = LIBRARY.parent / "scripts"
# They decide how files and messages look, where and when a job runs, and whether it may, not what the numbers are.
NEUTRAL = {
    *("errors", "progress", "files.folders", "files.integrity", "files.storage", "files.unmapped", "runtime"),
    *("networks.own", "training.trial"),
}
SPEAKING = {"print", "warn", "warning", "UserError"}  # calls whose arguments are for people
PURE = {"cache", "contextlib", "contextmanager", "dataclass", "lru_cache", "torch"}  # decorators without a memory
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
EFFECTS = "the effects of an import"  # in the place of a definition's name
SCOPES = (*FUNCTIONS, ast.ClassDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
# What is not written field by field. Every start of Snakemake writes 100,000 nodes, most of them none of these.
SPECIAL = (
    *(ast.Import, ast.ImportFrom, ast.Raise, ast.Expr, ast.Call, ast.Name, ast.Attribute),
    *(*SCOPES, *COMPREHENSIONS),
)


def code_digest(script: str, choice: str | None = None) -> str:
    """Sixteen hexadecimal digits for what a workflow script does.

    Args:
        script: name of a file in a folder of `workflow/scripts`, without `.py`.
        choice: what the script takes from a module by `getattr`, where it is to do one of several things.

    Raises:
        UserError: one of the files that it needs is not Python.
    """
    texts = sorted(filter(None, definitions(script, choice).values()))
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


def definitions(script: str, choice: str | None = None) -> dict["Reference", str]:
    """The definitions that a workflow script reaches, with each in its normal form; see `code_digest`."""
    found, waiting = {}, [Reference(next(SCRIPTS.glob(f"*/{script}.py")), None)]
    while waiting:
        reference = waiting.pop()
        if reference.name is None and choice in _module(reference.path).definitions:
            reference = Reference(reference.path, choice)  # in place of all that a module has
        if reference not in found:
            found[reference], further = _written(reference)
            waiting += further
    return found


def template_digests(page: str) -> list[str]:
    """Sixteen hexadecimal digits for each file that an HTML page is made from, in the order of their names."""
    files = sorted((LIBRARY / "report" / "templates").glob(f"{page}.*"))
    return [hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in files]


class Reference(NamedTuple):
    """A definition: the file that has it, and its name there; all that a file has where there is no name."""

    path: Path
    name: str | None


@dataclass
class Module:
    """What the top level of a file says.

    Attributes:
        definitions: the statements that bind each name, less imports.
        imports: dotted path of what each imported name stands for.
        effects: other statements, which run when the file is imported.
    """

    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    effects: list[ast.stmt] = field(default_factory=list)


@cache
def _module(path: Path) -> Module:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise UserError(f"{path}, line {error.lineno}: {error.msg}; mend it, jobs import this file.") from None
    module = Module()
    for statement in _effective(tree.body):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            module.imports |= _imported(statement)
            continue
        names = _bound([statement])
        for name in names:
            module.definitions.setdefault(name, []).append(statement)
        defines = isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign)
        if not defines or any(map(_registers, getattr(statement, "decorator_list", []))):
            module.effects.append(statement)
    return module


def _registers(decorator: ast.expr) -> bool:
    """Whether a decorator may do more than wrap its function: one of the library's own may note it in a list."""
    while isinstance(decorator, ast.Call | ast.Attribute):
        decorator = decorator.func if isinstance(decorator, ast.Call) else decorator.value
    return isinstance(decorator, ast.Name) and decorator.id not in PURE


def _imported(statement: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """The names that an import binds, and the dotted paths that they stand for."""
    if isinstance(statement, ast.ImportFrom):
        return {alias.asname or alias.name: f"{statement.module}.{alias.name}" for alias in statement.names}
    return {
        alias.asname or alias.name.split(".")[0]: alias.name if alias.asname else alias.name.split(".")[0]
        for alias in statement.names
    }


@cache
def _written(reference: Reference) -> tuple[str, frozenset[Reference]]:
    """A definition in its normal form, and the definitions of the library that it refers to."""
    path, name = reference
    module = _module(path)
    if name is None:
        return "", frozenset(Reference(path, other) for other in [*module.definitions, EFFECTS])
    writer = _Writer(path, module)
    text = writer.block(module.effects if name == EFFECTS else module.definitions[name])
    return text, frozenset(writer.references | {Reference(path, EFFECTS)})


class _Writer:
    """Writes syntax trees in their normal form, the same by every version of Python, and notes references."""

    def __init__(self, path: Path, module: Module):
        self.path, self.module = path, module
        self.references: set[Reference] = set()
        self.scopes: list[set[str]] = []  # names that the functions around a node bind
        self.imports: list[dict[str, str]] = [module.imports]

    def block(self, statements: Iterable[ast.stmt]) -> str:
        return "\n".join(filter(None, map(self.write, statements)))

    def write(self, node) -> str:
        if isinstance(node, list):
            return f"[{', '.join(filter(None, map(self.write, node)))}]"
        if not isinstance(node, ast.AST):
            return repr(node)
        if not isinstance(node, SPECIAL):
            return self.fields(node)
        if isinstance(node, ast.Import | ast.ImportFrom):
            return ""
        if isinstance(node, ast.Raise):
            return f"Raise({self.write(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)})"
        if isinstance(node, ast.Expr) and _speaks(node.value):
            return ""
        if isinstance(node, ast.Call) and _speaks(node):
            return f"Call({self.write(node.func)})"
        if isinstance(node, ast.Name | ast.Attribute) and (target := self.imported(node)) is not None:
            return target
        if isinstance(node, ast.Name) and not self.is_local(node.id) and node.id in self.module.definitions:
            self.references.add(Reference(self.path, node.id))
        if isinstance(node, (*SCOPES, *COMPREHENSIONS)):
            return self.scope(node)
        return self.fields(node)

    def fields(self, node: ast.AST) -> str:
        """All fields but those that are empty, which only some versions of Python have, and annotations."""
        fields = []
        for name in node._fields:
            value = getattr(node, name, None)
            if value is None or value == [] or name in ("annotation", "returns", "type_comment"):
                continue
            if name == "body" and isinstance(value, list):
                value = _effective(value)
            fields.append(f"{name}={self.write(value)}")
        return f"{type(node).__name__}({', '.join(fields)})"

    def scope(self, node: ast.AST) -> str:
        """A node with names of its own. Those that a class binds are no names for its methods."""
        imports, names = {}, set()
        if isinstance(node, FUNCTIONS):
            arguments = node.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
            names = {argument.arg for argument in every if argument is not None}
            if not isinstance(node, ast.Lambda):
                names |= _bound(node.body)
                for statement in _own(node.body):
                    if isinstance(statement, ast.Import | ast.ImportFrom):
                        imports |= _imported(statement)
        elif isinstance(node, COMPREHENSIONS):
            names = {name for part in node.generators for name in _bound([part.target])}
        self.scopes.append(names - imports.keys())
        self.imports.append(imports)
        text = self.fields(node)
        self.scopes.pop()
        self.imports.pop()
        return text

    def is_local(self, name: str) -> bool:
        return any(name in scope for scope in self.scopes)

    def imported(self, node: ast.Name | ast.Attribute) -> str | None:
        """What an imported name, with the attributes behind it, stands for; None for anything else.

        A definition of the library stands for itself, wherever it lies; anything else for its dotted path.
        """
        attributes = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        name, depth = node.id, len(self.imports) - 1
        while depth and name not in self.imports[depth]:
            if name in self.scopes[depth - 1]:
                return None
            depth -= 1
        if name not in self.imports[depth]:
            return None
        path = (*self.imports[depth][name].split("."), *reversed(attributes))
        if path[0] != LIBRARY.name:
            return ".".join(path)
        reference, rest = _definition(path[1:])
        if reference is not None:
            self.references.add(reference)
            return ".".join([reference.name or "module", *rest])
        return ".".join(rest)


@cache
def _definition(path: tuple[str, ...]) -> tuple[Reference | None, tuple[str, ...]]:
    """The definition that a dotted path below the library leads to, and the attributes behind that.

    None, and the name as it stands, where that is in a neutral module.
    """
    place = LIBRARY
    for k, name in enumerate(path):
        if (place / name).is_dir():
            place = place / name
            continue
        file = place / f"{name}.py"
        if is_neutral(file):
            return None, path[k + 1 :] or (name,)
        if file.exists():
            attribute = path[k + 1] if len(path) > k + 1 else None
            return _found(file, attribute, path[k + 2 :])
        return _found(place / "__init__.py", name, path[k + 1 :])
    return Reference(place / "__init__.py", None), ()


def is_neutral(file: Path) -> bool:
    """Whether a file of the library computes nothing."""
    module = file.relative_to(LIBRARY).with_suffix("").parts
    return not NEUTRAL.isdisjoint(".".join(module[: k + 1]) for k in range(len(module)))


def _found(file: Path, name: str | None, rest: tuple[str, ...]) -> tuple[Reference | None, tuple[str, ...]]:
    """The definition `name` of a file, or what the file itself imports under that name; else all of the file."""
    module = _module(file)
    if name is None or name in module.definitions:
        return Reference(file, name), rest
    target = module.imports.get(name, "").split(".")
    if target[0] == LIBRARY.name:
        return _definition((*target[1:], *rest))
    return Reference(file, None), (name, *rest)


def _speaks(node: ast.expr) -> bool:
    """Whether an expression is a call that only tells people something."""
    if not isinstance(node, ast.Call):
        return False
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    return name in SPEAKING


def _effective(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a block without docstrings, and without what stands there for want of any other statement."""
    idle = (ast.Pass, ast.Constant)
    return [s for s in body if not isinstance(s.value if isinstance(s, ast.Expr) else s, idle)]


def _own(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes below these, less those within functions and classes, which have names of their own."""
    waiting = [*nodes]
    while waiting:
        yield (node := waiting.pop())
        if not isinstance(node, SCOPES):
            waiting += ast.iter_child_nodes(node)


def _bound(nodes: Iterable[ast.AST]) -> set[str]:
    """The names that statements bind in their own scope, by assignment, definition, import or pattern."""
    names, elsewhere = set(), set()
    for node in _own(nodes):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= _imported(node).keys()
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names.add(node.rest)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            elsewhere |= set(node.names)
    return names - elsewhere
