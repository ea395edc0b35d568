"""Differentiate a recurrent step, r' = ReLU(W_rec r), and many steps, whose gradients add up."""

import sys

import numpy as np

import nnlayers as nn


def recurrent_graph(steps=1):
    """Return L = zᵀz for z = W_out r - target after some steps with the same W_rec."""
    W_rec, W_out = nn.Input("W_rec"), nn.Input("W_out")
    first, target = nn.Input("r_0"), nn.Input("target")
    r = first
    for step in range(1, steps + 1):
        a = (W_rec @ r).named(f"a_{step}")
        r = nn.relu(a).named(f"r_{step}")
    z = (W_out @ r - target).named("z")
    return nn.Graph((z @ z).named("L"), inputs=[W_rec, W_out, first, target])


def backward_by_hand(W_rec, W_out, r_0, target, steps):
    """Return L and its gradients by z, the last r, W_rec and W_out, from a loop over the steps."""
    rs = [r_0]
    for _ in range(steps):
        rs.append(np.maximum(W_rec @ rs[-1], 0))
    z = W_out @ rs[-1] - target
    dz = 2 * z
    dr = dr_last = W_out.T @ dz
    dW_rec = np.zeros_like(W_rec)
    for r in reversed(rs[:-1]):
        da = dr * (W_rec @ r > 0)
        dW_rec += np.outer(da, r)
        dr = W_rec.T @ da
    return z @ z, {"z": dz, "r": dr_last, "W_rec": dW_rec, "W_out": np.outer(dz, rs[-1])}


def draw_values(rng, size=2, outputs=3):
    """Return W_rec, W_out, r_0 and a target; W_rec is near the identity, so r does not decay."""
    return (
        np.eye(size) + rng.normal(scale=0.05, size=(size, size)),
        rng.normal(size=(outputs, size)),
        rng.normal(size=size),
        rng.normal(size=outputs),
    )


def main(picture=None):
    values = draw_values(np.random.default_rng(2))
    W_rec, W_out, r, _ = values
    graph = recurrent_graph()
    graph.forward(*values)
    graph.backward(1.0)
    z = graph["z"].value
    dr = 2 * W_out.T @ z
    print(f"dL/dz     = {graph['z'].grad.round(4)}\n2z        = {(2 * z).round(4)}")
    print(f"dL/dr'    = {graph['r_1'].grad.round(4)}\n2 W_outᵀz = {dr.round(4)}")
    print(f"dL/dW_rec =\n{graph['W_rec'].grad.round(4)}")
    print(f"(2 W_outᵀz ⊙ 1(W_rec r > 0)) rᵀ =\n{np.outer(dr * (W_rec @ r > 0), r).round(4) + 0.0}")
    print(graph.explain())
    if picture:
        graph.draw(picture)

    print("\nThree steps: W_rec is used three times, and each use adds to its gradient.")
    graph = recurrent_graph(3)
    graph.forward(*values)
    graph.backward(1.0)
    uses = [graph.contributions(graph[f"a_{step}"])[0] for step in (1, 2, 3)]
    for step, use in enumerate(uses, 1):
        print(f"from step {step}: {use.round(4).tolist()}")
    print(f"their sum:   {np.sum(uses, axis=0).round(4).tolist()}")
    print(f"dL/dW_rec:   {graph['W_rec'].grad.round(4).tolist()}")

    for steps in (1, 10, 50):
        graph = recurrent_graph(steps)
        L = graph.forward(*values)
        graph.backward(1.0)
        loop_L, by_hand = backward_by_hand(*values, steps)
        difference = np.abs(graph["W_rec"].grad - by_hand["W_rec"]).max()
        print(f"{steps:2} steps: L = {L:.4f}, a loop's {loop_L:.4f}; dL/dW_rec up to", end=" ")
        print(f"{np.abs(by_hand['W_rec']).max():.4g}, differs from a loop's by {difference:.1e}")


if __name__ == "__main__":
    main(*sys.argv[1:])
