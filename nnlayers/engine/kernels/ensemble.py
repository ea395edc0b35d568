"""Kernels of EnsembleAffine, of the loss of its members, and of GroupedAffine."""

from __future__ import annotations

from nnlayers.engine.kernel import (
    Blas,
    Count,
    DoubleVector,
    Flat,
    Matrix,
    Number,
    Rows,
    double_kernel,
    kernel,
)
from nnlayers.engine.products import product, product_nt, product_tn

__all__ = [
    "divide_gradient",
    "divide_result",
    "group_input_gradient",
    "group_products",
    "group_weight_gradient",
    "narrow_group_input_gradient",
    "narrow_group_products",
    "narrow_group_weight_gradient",
    "scale_inputs",
    "scale_inputs_backward",
    "scale_inputs_gradient",
    "scale_outputs",
    "scale_outputs_backward",
]


@kernel
def scale_inputs(x: Rows, share: Count, r: Matrix, z: Rows) -> None:
    """Compute z = x r with the factors r of each member; so many members share a row of x."""
    for k in range(z.shape[0]):
        given, factors, scaled = x[k // share], r[k % r.shape[0]], z[k]
        for j in range(z.shape[1]):
            scaled[j] = given[j] * factors[j]


@kernel
def scale_inputs_gradient(x: Rows, share: Count, dz: Rows, dr: Matrix) -> None:
    """Compute dr, the sum of the rows of dz x for each member."""
    for m in range(dr.shape[0]):
        for j in range(dr.shape[1]):
            dr[m, j] = 0.0
    for k in range(dz.shape[0]):
        given, total, d = x[k // share], dr[k % dr.shape[0]], dz[k]
        for j in range(dz.shape[1]):
            total[j] += d[j] * given[j]


@kernel
def scale_inputs_backward(x: Rows, share: Count, r: Matrix, dz: Rows, dr: Matrix, dx: Rows) -> None:
    """Compute dr as above, and dx, the sum of dz r over the members that share a row of x."""
    for m in range(dr.shape[0]):
        for j in range(dr.shape[1]):
            dr[m, j] = 0.0
    for k in range(dz.shape[0]):
        m = k % r.shape[0]
        given, factors, d, total, row = x[k // share], r[m], dz[k], dr[m], dx[k // share]
        if k % share == 0:
            for j in range(dz.shape[1]):
                total[j] += d[j] * given[j]
                row[j] = d[j] * factors[j]
        else:
            for j in range(dz.shape[1]):
                total[j] += d[j] * given[j]
                row[j] += d[j] * factors[j]


@kernel
def scale_outputs(p: Rows, s: Matrix, b: Matrix, y: Rows) -> None:
    """Compute y = p s + b with the factors s and the bias b of each member."""
    for k in range(y.shape[0]):
        m = k % s.shape[0]
        given, factors, bias, scaled = p[k], s[m], b[m], y[k]
        for j in range(y.shape[1]):
            scaled[j] = given[j] * factors[j] + bias[j]


@kernel
def scale_outputs_backward(p: Rows, s: Matrix, d: Rows, ds: Matrix, db: Matrix) -> None:
    """Compute ds and db, the sums of the rows of d p and of d for each member, then d = d s."""
    for m in range(s.shape[0]):
        for j in range(s.shape[1]):
            ds[m, j] = 0.0
            db[m, j] = 0.0
    for k in range(d.shape[0]):
        m = k % s.shape[0]
        given, factors, row, total, bias = p[k], s[m], d[k], ds[m], db[m]
        for j in range(d.shape[1]):
            total[j] += row[j] * given[j]
            bias[j] += row[j]
            row[j] *= factors[j]


@kernel
def group_products(gemm: Blas, x: Rows, W: Matrix, groups: Count, y: Rows) -> None:
    """Compute y_g = x_g W_g for the columns x_g of each group."""
    width, outputs = W.shape[0] // groups, W.shape[1]
    for g in range(groups):
        a, b, c, d = g * width, (g + 1) * width, g * outputs, (g + 1) * outputs
        product(gemm, x[:, a:b], W[a:b], y[:, c:d])


@kernel
def group_weight_gradient(gemm: Blas, x: Rows, dy: Rows, groups: Count, dW: Matrix) -> None:
    """Compute dW_g = x_g^T dy_g for each group."""
    width, outputs = dW.shape[0] // groups, dW.shape[1]
    for g in range(groups):
        a, b, c, d = g * width, (g + 1) * width, g * outputs, (g + 1) * outputs
        product_tn(gemm, x[:, a:b], dy[:, c:d], dW[a:b])


@kernel
def group_input_gradient(gemm: Blas, dy: Rows, W: Matrix, groups: Count, dx: Rows) -> None:
    """Compute dx_g = dy_g W_g^T for each group."""
    width, outputs = W.shape[0] // groups, W.shape[1]
    for g in range(groups):
        a, b, c, d = g * width, (g + 1) * width, g * outputs, (g + 1) * outputs
        product_nt(gemm, dy[:, c:d], W[a:b], dx[:, a:b])


@kernel
def narrow_group_products(x: Rows, transposed: Matrix, groups: Count, y: Rows) -> None:
    """Compute y_g = x_g W_g for each group by loops over x, given the transpose of all W_g."""
    outputs, width = transposed.shape[0], x.shape[1] // groups
    for i in range(x.shape[0]):
        for g in range(groups):
            given = x[i, g * width : (g + 1) * width]
            for o in range(outputs):
                w = transposed[o, g * width : (g + 1) * width]
                total = 0.0
                for j in range(width):
                    total += given[j] * w[j]
                y[i, g * outputs + o] = total


@kernel
def narrow_group_weight_gradient(x: Rows, dy: Rows, groups: Count, transposed: Matrix) -> None:
    """Compute the transpose of all dW_g, where dW_g = x_g^T dy_g."""
    outputs, width = transposed.shape[0], x.shape[1] // groups
    for o in range(outputs):
        for j in range(transposed.shape[1]):
            transposed[o, j] = 0.0
    for i in range(x.shape[0]):
        for g in range(groups):
            given = x[i, g * width : (g + 1) * width]
            for o in range(outputs):
                d, total = dy[i, g * outputs + o], transposed[o, g * width : (g + 1) * width]
                for j in range(width):
                    total[j] += d * given[j]


@kernel
def narrow_group_input_gradient(dy: Rows, transposed: Matrix, groups: Count, dx: Rows) -> None:
    """Compute dx_g = dy_g W_g^T for each group, given the transpose of all W_g."""
    outputs, width = transposed.shape[0], dx.shape[1] // groups
    for i in range(dx.shape[0]):
        for j in range(dx.shape[1]):
            dx[i, j] = 0.0
        for g in range(groups):
            total = dx[i, g * width : (g + 1) * width]
            for o in range(outputs):
                d, w = dy[i, g * outputs + o], transposed[o, g * width : (g + 1) * width]
                for j in range(width):
                    total[j] += d * w[j]


@double_kernel
def divide_result(members: Count, is_sum: Count, result: DoubleVector) -> None:
    """Divide the divisor of the mean by the number of members, and also the loss if it is a sum."""
    result[1] /= members
    if is_sum != 0:
        result[0] /= members


@kernel
def divide_gradient(members: Number, d: Flat) -> None:
    """Compute d = d / members."""
    for i in range(d.size):
        d[i] /= members
