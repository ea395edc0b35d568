"""Formulas of layers, as drawings show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnlayers._core.checks import check_instance, check_strings

__all__ = ["Formula"]


class Formula:
    """The formula of a layer and its derivatives, in Python's syntax.

    Drawings and explanations show the formula that a class has as its attribute ``formula``. The
    names in an expression are ``x`` for the input, ``a`` and ``b`` for two of them, ``x0``, ``x1``
    and so on for more; ``y`` for the output; ``g`` for the incoming gradient; and the layer's
    attributes, of which numbers are shown by value. An expression may hold arithmetic, calls,
    comparisons, ``... if ... else ...``, ``A.T`` for a transpose and ``one(...)``, which is 1 where
    the condition holds and 0 elsewhere.

    Parameters
    ----------
    value : str
        The output.
    *derivatives : str
        The local derivative with respect to each input; a single one applies to all inputs. Without
        any, it is the Jacobian ``J``.
    symbol : str
        A short label for the layer, such as ``+``; by default its representation.
    sent : sequence of str
        The gradient with respect to each input, by default the product of ``g`` and the derivative.
    product : {"×", "@", ""}
        The product of ``g`` and the derivative that gives the gradient: entry by entry, of
        matrices, or neither.
    parameters : mapping of str to str
        The gradient with respect to each parameter; summed over the axes that it lacks.
    note : str
        An explanation of names in the formulas.

    Examples
    --------
    >>> import nnlayers as nn
    >>> class Cube(nn.Layer):
    ...     formula = nn.Formula("x**3", "3 * x**2", symbol="x³")
    ...
    ...     def forward(self, x):
    ...         self.x = x
    ...         return x**3
    ...
    ...     def backward(self, dout):
    ...         return dout * 3 * self.x**2
    >>> graph = nn.Graph(Cube()(nn.Input("u")))
    >>> graph.forward(2.0), graph.backward(1.0)
    (array(8.), array(12.))
    >>> print(graph.explain().splitlines()[7].strip())
    to u: local derivative ∂cube/∂u = 3 × u² = 12
    """

    def __init__(
        self,
        value: str,
        *derivatives: str,
        symbol: str = "",
        sent: Sequence[str] = (),
        product: str = "×",
        parameters: Mapping[str, str] | None = None,
        note: str = "",
    ) -> None:
        self.value = value
        self.derivatives = derivatives or ("J",)
        self.symbol = symbol
        self.sent = check_strings("sent", sent)
        self.product = product if derivatives else ""
        check_instance("parameters", {} if parameters is None else parameters, Mapping)
        self.parameters = dict(parameters or {})
        self.note = note

    @property
    def is_jacobian(self) -> bool:
        """Whether the derivative is a full Jacobian, one number for each pair of entries."""
        return self.derivatives == ("J",)
