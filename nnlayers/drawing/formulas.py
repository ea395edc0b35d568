"""Typesetting: formulas as plain text and as MathML."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from nnlayers.drawing.labels import safe_text

__all__ = ["Expression", "names_in", "simplify"]

# The precedence of a part of a formula: a part that stands in one of higher precedence gets
# brackets.
_CHOICE, _SUM, _PRODUCT, _POWER, _WHOLE = range(5)

_COMPARISONS = {ast.Gt: ">", ast.Lt: "<", ast.GtE: "≥", ast.LtE: "≤", ast.Eq: "=", ast.NotEq: "≠"}
_FUNCTIONS = {"sigma": "σ", "Phi": "Φ", "phi": "φ", "one": "1"}
_LETTERS = {"loss": "ℓ", "gamma": "γ", "beta": "β"}


class Expression:
    """An expression in Python's syntax, to be set as text or as MathML.

    ``d(u, v)`` stands for the derivative of u by v, ``g`` for ``d(loss, y)``, the incoming
    gradient, ``A.T`` for the transpose, and ``one(...)`` for the indicator of a condition.

    Parameters
    ----------
    expression : str
        Arithmetic, calls, comparisons and ``... if ... else ...``.
    names : mapping of str to str, optional
        Replacements for the names in it; a number among them is set as a number.

    Examples
    --------
    >>> expression = Expression("-(g / x**2)", {"x": "b"})
    >>> expression.text
    '−∂ℓ/∂y / b²'
    >>> Expression("a * b", {"a": "w_1", "b": "x"}).mathml
    '<msub><mi>w</mi><mi>1</mi></msub><mo>×</mo><mi>x</mi>'
    """

    def __init__(self, expression: str, names: Mapping[str, str] | None = None) -> None:
        self.expression = expression
        self.names = {**_LETTERS, **(names or {})}

    @property
    def text(self) -> str:
        """The expression as plain text."""
        return self._set(_Text())

    @property
    def mathml(self) -> str:
        """The expression as the content of a ``<math>`` element."""
        return self.linked_mathml({})

    def linked_mathml(self, links: Mapping[str, int]) -> str:
        """Return the MathML, in which parts have the index of the node whose name they hold.

        A name has it as ``data-node``, a derivative by one as ``data-gradient``.

        Examples
        --------
        >>> Expression("u").linked_mathml({"u": 3})
        '<mrow data-node="3"><mi>u</mi></mrow>'
        """
        return self._set(_MathML(links))

    def _set(self, notation: _Text) -> str:
        return _Writer(notation, self.names).write(_parse(self.expression))[0]

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def names_in(expression: str) -> set[str]:
    """Return the names in an expression.

    Examples
    --------
    >>> sorted(names_in("exp(s * x)"))
    ['exp', 's', 'x']
    """
    return {tree.id for tree in ast.walk(_parse(expression)) if isinstance(tree, ast.Name)}


def simplify(expression: str, numbers: Mapping[str, float]) -> str:
    """Return an expression with numbers for some names, and without factors of 1.

    Examples
    --------
    >>> simplify("p * x**(p - 1)", {"p": 3.0})
    '3.0 * x ** 2.0'
    >>> simplify("exp(s * x) / s", {"s": 1.0})
    'exp(x)'
    """
    return _simplify(expression, tuple(numbers.items()))


# Graphs hold a few operations many times, and parsing takes most of the time.
@lru_cache(maxsize=1000)
def _simplify(expression: str, numbers: tuple[tuple[str, float], ...]) -> str:
    return ast.unparse(_Simplifier(dict(numbers)).visit(ast.parse(expression, mode="eval")))


@lru_cache(maxsize=1000)
def _parse(expression: str) -> ast.expr:
    return ast.parse(expression, mode="eval").body


class _Simplifier(ast.NodeTransformer):
    def __init__(self, numbers: Mapping[str, float]) -> None:
        self.numbers = numbers

    def visit_Name(self, tree: ast.Name) -> ast.expr:
        return ast.Constant(self.numbers[tree.id]) if tree.id in self.numbers else tree

    def visit_BinOp(self, tree: ast.BinOp) -> ast.expr:
        a: ast.expr = self.visit(tree.left)
        b: ast.expr = self.visit(tree.right)
        match a, tree.op, b:
            case ast.Constant(value=float(p)), ast.Sub(), ast.Constant(value=int(q)):
                return ast.Constant(p - q)
            case ast.Constant(value=1), ast.Mult(), _:
                return b
            case _, ast.Mult() | ast.Div() | ast.Pow(), ast.Constant(value=1):
                return a
            case _, ast.Mult(), ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1)):
                return ast.UnaryOp(ast.USub(), a)
        return ast.BinOp(a, tree.op, b)


class _Text:
    """Plain text, and the base of the other notation."""

    space, comma = " ", ", "
    product, matrix_product = " × ", " @ "
    fraction_parts, fraction_whole = (_PRODUCT, _POWER), _PRODUCT

    def name(self, name: str) -> str:
        return name

    def number(self, number: str) -> str:
        return number.replace("-", "−")

    def sign(self, sign: str) -> str:
        return sign

    def partial(self, over: str, under: str) -> str:
        return f"∂{over}/∂{under}"

    def brackets(self, inner: str) -> str:
        return f"({inner})"

    def fraction(self, over: str, under: str) -> str:
        return f"{over} / {under}"

    def power(self, base: str, exponent: str) -> str:
        return base + ("²" if exponent == "2" else f"^{exponent}")

    def transposed(self, matrix: str) -> str:
        return f"{matrix}ᵀ"

    def index(self, array: str, brackets: str) -> str:
        return array + brackets

    def call(self, function: str, inner: str) -> str:
        return self.name(_FUNCTIONS.get(function, function)) + self.brackets(inner)

    def choice(self, a: str, condition: str, b: str) -> str:
        return f"{a} if {condition} else {b}"


class _MathML(_Text):
    space, comma = "", "<mo>,</mo>"
    product, matrix_product = "<mo>×</mo>", '<mspace width="0.2em"/>'
    fraction_parts, fraction_whole = (_SUM, _SUM), _POWER

    def __init__(self, links: Mapping[str, int]) -> None:
        self.links = links

    def name(self, name: str) -> str:
        return self._linked(self._letters(name), "node", name)

    def _letters(self, name: str) -> str:
        head, _, foot = name.partition("_")
        if head and foot:
            return f"<msub><mi>{safe_text(head)}</mi><mi>{safe_text(foot)}</mi></msub>"
        return f"<mi>{safe_text(name)}</mi>"

    def _linked(self, part: str, kind: str, name: str) -> str:
        if name not in self.links:
            return part
        return f'<mrow data-{kind}="{self.links[name]}">{part}</mrow>'

    def number(self, number: str) -> str:
        digits = f"<mn>{safe_text(number.lstrip('-'))}</mn>"
        return f"<mrow><mo>−</mo>{digits}</mrow>" if number.startswith("-") else digits

    def sign(self, sign: str) -> str:
        return f"<mo>{safe_text(sign)}</mo>"

    def partial(self, over: str, under: str) -> str:
        parts = [f"<mi>∂</mi>{self._letters(name)}" for name in (over, under)]
        # The gradient of a node, not the derivative of another node by it.
        kind = "gradient" if over not in self.links else ""
        whole = self.fraction(*parts)
        return self._linked(whole, kind, under) if kind else whole

    def brackets(self, inner: str) -> str:
        # Browsers stretch brackets far beyond a tall letter.
        stretchy = str("<mfrac>" in inner or "<mtable>" in inner).lower()
        left, right = [f'<mo stretchy="{stretchy}">{sign}</mo>' for sign in "()"]
        return f"<mrow>{left}{inner}{right}</mrow>"

    def fraction(self, over: str, under: str) -> str:
        return f"<mfrac><mrow>{over}</mrow><mrow>{under}</mrow></mfrac>"

    def power(self, base: str, exponent: str) -> str:
        return f"<msup><mrow>{base}</mrow><mrow>{exponent}</mrow></msup>"

    def transposed(self, matrix: str) -> str:
        return self.power(matrix, "<mi>T</mi>")

    def index(self, array: str, brackets: str) -> str:
        return f"<mrow>{array}<mtext>{safe_text(brackets)}</mtext></mrow>"

    def call(self, function: str, inner: str) -> str:
        match function:
            case "sqrt":
                return f"<msqrt>{inner}</msqrt>"
            case "abs":
                return f"<mrow><mo>|</mo>{inner}<mo>|</mo></mrow>"
            case "sum":
                return f"<mrow><mo>∑</mo>{self.brackets(inner)}</mrow>"
        return f"<mrow>{super().call(function, inner)}</mrow>"

    def choice(self, a: str, condition: str, b: str) -> str:
        rows = [(a, f"<mtext>if&#160;</mtext>{condition}"), (b, "<mtext>else</mtext>")]
        cells = "".join(
            f"<mtr><mtd><mrow>{value}</mrow></mtd><mtd><mrow>{when}</mrow></mtd></mtr>"
            for value, when in rows
        )
        return f"<mrow><mo>{{</mo><mtable>{cells}</mtable></mrow>"


class _Writer:
    """Sets the tree of an expression in a notation, with brackets where they are needed."""

    def __init__(self, notation: _Text, names: Mapping[str, str]) -> None:
        self.notation = notation
        self.names = names

    def write(self, tree: Any) -> tuple[str, int]:
        """Return the text of a part, and its precedence."""
        notation, part = self.notation, self._part
        match tree:
            case ast.Constant(value=int() | float() as number):
                return self._number(f"{number:.4g}")
            case ast.Name(id="g"):
                return self.write(_parse("d(loss, y)"))
            case ast.Name(id=letter):
                name = self.names.get(letter, letter)
                return self._number(name) if _is_number(name) else (notation.name(name), _WHOLE)
            case ast.Attribute(value=matrix, attr="T"):
                return notation.transposed(part(matrix, _WHOLE)), _POWER
            case ast.Subscript(value=array, slice=key):
                brackets = ast.unparse(ast.Subscript(ast.Name(""), key))
                return notation.index(part(array, _WHOLE), brackets), _WHOLE
            case ast.UnaryOp(op=ast.USub(), operand=a):
                return notation.sign("−") + part(a, _PRODUCT), _SUM
            case ast.BinOp(left=a, op=operator, right=b):
                return self._operation(a, operator, b)
            case ast.Call(func=ast.Name(id="d"), args=[over, under]):
                return notation.partial(self._name(over), self._name(under)), _POWER
            case ast.Call(func=ast.Name(id=letter), args=arguments):
                inner = notation.comma.join([part(argument, _CHOICE) for argument in arguments])
                return notation.call(self.names.get(letter, letter), inner), _WHOLE
            case ast.Compare(left=first, ops=signs, comparators=others):
                parts = [part(first, _SUM)]
                for sign, other in zip(signs, others, strict=True):
                    parts += [notation.sign(_COMPARISONS[type(sign)]), part(other, _SUM)]
                return notation.space.join(parts), _CHOICE
            case ast.IfExp(test=condition, body=a, orelse=b):
                texts = [part(piece, _CHOICE) for piece in (a, condition, b)]
                return notation.choice(*texts), _CHOICE
        raise ValueError(f"no notation for {ast.unparse(tree)!r}")

    def _name(self, tree: ast.expr) -> str:
        """Return the name that a derivative has above or below its bar."""
        letter = ast.unparse(tree)
        return self.names.get(letter, letter)

    def _operation(self, a: ast.expr, operator: ast.operator, b: ast.expr) -> tuple[str, int]:
        notation, part = self.notation, self._part
        match operator:
            case ast.Mult():
                return part(a, _PRODUCT) + notation.product + part(b, _PRODUCT), _PRODUCT
            case ast.MatMult():
                return part(a, _PRODUCT) + notation.matrix_product + part(b, _POWER), _PRODUCT
            case ast.Div():
                over, under = notation.fraction_parts
                return notation.fraction(part(a, over), part(b, under)), notation.fraction_whole
            case ast.Pow():
                return notation.power(part(a, _WHOLE), part(b, _POWER)), _POWER
        sign = notation.sign("−" if isinstance(operator, ast.Sub) else "+")
        needed = _PRODUCT if isinstance(operator, ast.Sub) else _SUM
        return notation.space.join([part(a, _SUM), sign, part(b, needed)]), _SUM

    def _part(self, tree: ast.expr, needed: int) -> str:
        """Return the text of a part, in brackets if its precedence is lower than needed."""
        text, precedence = self.write(tree)
        return text if precedence >= needed else self.notation.brackets(text)

    def _number(self, number: str) -> tuple[str, int]:
        return self.notation.number(number), _SUM if number.startswith("-") else _WHOLE


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
