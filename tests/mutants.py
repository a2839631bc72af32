"""Mutants of one function of a module: the same module with one spot of that function changed."""

from __future__ import annotations

import ast
import copy
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# a.f(x) with one of these as a is a call of f; with anything else it is a method, and a its first argument
NAMESPACES = {"m", "torch", "sympy", "np", "math"}
SYMMETRIC = {"transpose"}  # methods whose two arguments may be exchanged
Step = tuple[str, int | None]
SWAPPED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}


@dataclass(frozen=True)
class Mutant:
    """``label`` says what was changed to what, and is unique among the mutants of a function."""

    label: str
    tree: ast.Module
    file: Path

    def module(self) -> types.ModuleType:
        """The mutated module, executed under a name of its own."""
        made = types.ModuleType(f"mutant_of_{self.file.stem}")
        made.__dict__["__file__"] = str(self.file)
        sys.modules[made.__name__] = made  # dataclasses look themselves up there
        try:
            exec(compile(self.tree, str(self.file), "exec"), made.__dict__)
        finally:
            del sys.modules[made.__name__]
        return made


def mutants(file: Path, function: str) -> list[Mutant]:
    """All mutants of ``Class.function``, ``outer.inner`` or of the lambda bound to that name."""
    tree = ast.parse(file.read_text("utf8"))
    path = _spot(tree, function.split("."))
    made, seen = [], {}
    for steps, before, after in _changes(path):
        mutated = copy.deepcopy(tree)
        node = _spot(mutated, function.split("."))
        _replace(node, steps, after)
        label = f"{ast.unparse(before)} -> {ast.unparse(after)}{_context(path, steps)}"
        seen[label] = seen.get(label, 0) + 1
        if seen[label] > 1:
            label += f" (spot {seen[label]})"
        made.append(Mutant(label, ast.fix_missing_locations(mutated), file))
    return made


def _context(root: ast.AST, steps: list[Step]) -> str:
    """The expression around a constant, which alone says too little."""
    around = [root]
    for field, index in steps:
        value = getattr(around[-1], field)
        around.append(value if index is None else value[index])
    if not isinstance(around[-1], ast.Constant):
        return ""
    outer = next(n for n in around[-2::-1] if not isinstance(n, ast.UnaryOp))
    return f" in {ast.unparse(outer)}"


def _spot(tree: ast.AST, names: list[str]) -> ast.AST:
    """The function, or the lambda that is the value of an assignment, at a dotted path."""
    for name in names:
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == name:
                tree = node
                break
            if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == [name]:
                tree = next((n for n in ast.walk(node.value) if isinstance(n, ast.Lambda)), node.value)
                break
        else:
            raise LookupError(f"no {'.'.join(names)} here")
    return tree


def _fields(node: ast.AST) -> Iterator[tuple[Step, ast.AST]]:
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            yield (name, None), value
        elif isinstance(value, list):
            yield from (((name, i), v) for i, v in enumerate(value) if isinstance(v, ast.AST))


def _bodies(root: ast.AST) -> Iterator[tuple[list[Step], ast.AST]]:
    """Every expression of the body: not decorators, annotations, defaults or the docstring."""
    stack: list[tuple[list[Step], ast.AST]] = [([step], n) for step, n in _fields(root) if step[0] == "body"]
    while stack:
        steps, node = stack.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        yield steps, node
        skipped = {"annotation", "returns", "args"} if isinstance(node, (ast.AnnAssign, ast.FunctionDef)) else set()
        stack += [([*steps, step], child) for step, child in _fields(node) if step[0] not in skipped]


def _changes(root: ast.AST) -> Iterator[tuple[list[Step], ast.AST, ast.AST]]:
    for steps, node in sorted(_bodies(root), key=lambda found: str(found[0])):
        for after in _variants(node):
            if ast.unparse(after) != ast.unparse(node):  # two equal arguments swapped
                yield steps, node, after


def _variants(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp) and type(node.op) in SWAPPED:
        yield ast.BinOp(node.left, SWAPPED[type(node.op)](), node.right)
        if isinstance(node.op, (ast.Add, ast.Sub)):  # a term dropped
            yield node.left
            yield node.right if isinstance(node.op, ast.Add) else ast.UnaryOp(ast.USub(), node.right)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield node.operand
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield ast.Constant(node.value + 1)
        yield ast.Constant(node.value - 1)
    elif isinstance(node, ast.Call):
        plain = [a for a in node.args if not isinstance(a, ast.Starred)]
        symmetric = isinstance(node.func, ast.Attribute) and node.func.attr in SYMMETRIC
        for i in range(0 if symmetric else len(plain) - 1):  # two neighbouring arguments swapped
            args = list(node.args)
            at, after = args.index(plain[i]), args.index(plain[i + 1])
            args[at], args[after] = args[after], args[at]
            yield ast.Call(node.func, args, node.keywords)
        receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
        method = receiver is not None and not (isinstance(receiver, ast.Name) and receiver.id in NAMESPACES)
        yield from [receiver] if method and receiver is not None else plain  # the call dropped


def _replace(root: ast.AST, steps: list[Step], after: ast.AST) -> None:
    node = root
    for field, index in steps[:-1]:
        value = getattr(node, field)
        node = value if index is None else value[index]
    field, index = steps[-1]
    if index is None:
        setattr(node, field, copy.deepcopy(after))
    else:
        getattr(node, field)[index] = copy.deepcopy(after)


def killed(mutant: Mutant, check: Callable[[types.ModuleType], None]) -> bool:
    """Whether the mutant breaks a law, or cannot even be run."""
    try:
        check(mutant.module())
    except Exception:  # whatever the mutant trips over
        return True
    return False
