# SPDX-License-Identifier: Apache-2.0
"""Small changes of source code, each of which some test should notice.

A change replaces the text of one node of the syntax tree; the rest of the file stays as it is.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
from collections import Counter
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}
ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.FloorDiv: ("//", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
NO_LOCK = '__import__("contextlib").nullcontext()'
#: Calls whose removal changes nothing but what people are told.
TELLING = ("emit", "self._emit", "say")


@dataclass(frozen=True)
class Mutant:
    """``start`` and ``end`` are offsets in the file's text; ``lines`` are those of the statement's head: a test
    that runs one of them runs the mutant. ``function`` and ``lines`` are empty outside of functions."""

    file: str
    function: str
    lines: range
    line: int
    start: int
    end: int
    operator: str
    replacement: str
    key: str

    def apply(self, text: str) -> str:
        return text[: self.start] + self.replacement + text[self.end :]

    def is_valid(self, text: str) -> bool:
        """Whether Python can read what comes out."""
        try:
            ast.parse(self.apply(text))
        except SyntaxError:
            return False
        return True

    def diff(self, text: str) -> str:
        lines = difflib.unified_diff(text.splitlines(), self.apply(text).splitlines(), n=0, lineterm="")
        return "\n".join(line for line in list(lines)[2:] if not line.startswith("@@"))


def mutants_of(file: str, text: str) -> list[Mutant]:
    """All mutants of a file, in the order of their places."""
    finder = _Finder(text)
    finder.visit(ast.parse(text))
    lines = text.splitlines()
    seen: Counter[tuple[str, ...]] = Counter()
    made = []
    for function, lines_, start, end, operator, replacement in sorted(set(finder.found), key=lambda found: found[2:]):
        line = text.count("\n", 0, start) + 1
        identity = (file, function, lines[line - 1].strip(), operator, replacement)
        key = hashlib.sha256("\0".join([*identity, str(seen[identity])]).encode()).hexdigest()[:12]
        seen[identity] += 1
        made.append(Mutant(file, function, lines_, line, start, end, operator, replacement, key))
    return made


class _Finder(ast.NodeVisitor):
    def __init__(self, text: str) -> None:
        self.found: list[tuple[str, range, int, int, str, str]] = []
        self._text = text
        self._starts = [0]
        for line in text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._lines = text.splitlines(keepends=True)
        self._names: list[str] = []
        self._depth = 0
        self._statement = range(0)

    def visit(self, node: ast.AST) -> None:
        before = self._statement
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            self._statement = range(node.lineno, max(last, node.lineno) + 1)
        elif isinstance(node, ast.ExceptHandler):
            self._statement = range(node.lineno, node.lineno + 1)
        super().visit(node)
        self._statement = before

    # What is not mutated: annotations, docstrings, messages, decorators, and what type checkers alone read.

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for default in [*node.args.defaults, *node.args.kw_defaults]:
            if default is not None:
                self.visit(default)
        self._names.append(node.name)
        self._depth += 1
        for statement in node.body:
            self.visit(statement)
        self._names.pop()
        self._depth -= 1

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the visitor's name for it

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._names.append(node.name)
        for child in [*node.body, *(keyword.value for keyword in node.keywords)]:
            self.visit(child)
        self._names.pop()

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._assignment(node, node.target)
            self.visit(node.value)

    def visit_Assert(self, node: ast.Assert) -> None:
        """Written for type checkers and readers."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Positions inside are not reliable before Python 3.12."""

    def visit_Raise(self, node: ast.Raise) -> None:
        self._add(node, "drop raise", "pass")

    # What is.

    def visit_Compare(self, node: ast.Compare) -> None:
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            old, new = COMPARISONS[type(operator)]
            self._between(left, right, old, new, "comparison")
            left = right
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._between(left, right, old, new, "and/or")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._replace(self._start(node), self._start(node.operand), "drop not", "")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if ast.unparse(node.right).startswith("os.O_"):
            self._replace(self._end(node.left), self._end(node.right), "drop flag", "")
            self.visit(node.left)
            return
        texts = any(isinstance(side, ast.JoinedStr) or _is_text(side) for side in (node.left, node.right))
        if type(node.op) in ARITHMETIC and not texts:
            self._between(node.left, node.right, *ARITHMETIC[type(node.op)], "arithmetic")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if type(node.op) in ARITHMETIC:
            old, new = ARITHMETIC[type(node.op)]
            self._between(node.target, node.value, f"{old}=", f"{new}=", "arithmetic")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._add(node, "constant", str(not node.value))
        elif isinstance(node.value, int) and not self._text.startswith("0o", self._start(node)):
            self._add(node, "constant + 1", str(node.value + 1))
            if node.value > 0:
                self._add(node, "constant - 1", str(node.value - 1))

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self._key(node.slice)
        self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        for key in node.keys:
            self._key(key)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop") and node.args:
            self._key(node.args[0])
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return
        if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) not in TELLING:
            self._add(node, "drop call", "pass")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self._assignment(node, node.targets[0])
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" in ast.unparse(node.test):
            return
        self._condition(node.test, "True", "False")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._condition(node.test, "True", "False")
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        if not isinstance(node.test, ast.Constant):
            self._condition(node.test, "False")
            self.generic_visit(node)
        else:
            for statement in node.body:
                self.visit(statement)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None):
            self._add(node, "drop return", "pass")
        self.generic_visit(node)

    def visit_Break(self, node: ast.Break) -> None:
        self._add(node, "break/continue", "continue")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._add(node, "break/continue", "break")
        self._add(node, "drop continue", "pass")

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            if "lock" in ast.unparse(item.context_expr).lower() and item.optional_vars is None:
                self._add(item.context_expr, "drop lock", NO_LOCK)
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.type is not None:
            self._add(node.type, "drop handler", "()")
        for statement in node.body:
            self.visit(statement)

    # Helpers.

    def _key(self, node: ast.AST | None) -> None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
            self._add(node, "key", repr(f"{node.value}x"))

    def _assignment(self, node: ast.stmt, target: ast.expr) -> None:
        if isinstance(target, ast.Attribute | ast.Subscript) and self._depth:
            self._add(node, "drop assignment", "pass")

    def _condition(self, node: ast.expr, *values: str) -> None:
        for value in values:
            self._add(node, f"always {value.lower()}", value)

    def _between(self, left: ast.expr, right: ast.expr, old: str, new: str, operator: str) -> None:
        start, end = self._end(left), self._start(right)
        at = self._text.find(old, start, end)
        if at >= 0:
            self._replace(at, at + len(old), operator, new)

    def _add(self, node: ast.AST, operator: str, replacement: str) -> None:
        self._replace(self._start(node), self._end(node), operator, replacement)

    def _replace(self, start: int, end: int, operator: str, replacement: str) -> None:
        lines = self._statement if self._depth else range(0)
        self.found.append((".".join(self._names), lines, start, end, operator, replacement))

    def _start(self, node: ast.AST) -> int:
        return self._offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]

    def _end(self, node: ast.AST) -> int:
        return self._offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def _offset(self, line: int, column: int) -> int:
        """Columns of the syntax tree count bytes of UTF-8."""
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
