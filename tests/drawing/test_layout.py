"""Layouts: wires lead forward, nodes do not overlap."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlayers.drawing.layout import lay_out

WIDTH = 40.0


@st.composite
def graphs(draw):
    """The parents of up to 25 nodes."""
    parents = {0: []}
    for node in range(1, draw(st.integers(1, 25))):
        parents[node] = draw(st.lists(st.integers(0, node - 1), max_size=3))
    return parents


def checked_layout(parents, label=60.0):
    wires = {(parent, node): label for node, above in parents.items() for parent in above}
    return lay_out(parents, dict.fromkeys(parents, (WIDTH, 40.0)), wires)


@given(graphs())
@settings(max_examples=50)
def test_wires_go_from_left_to_right_with_room_for_their_labels(parents):
    layout = checked_layout(parents)
    assert set(layout.lengths) == {(p, node) for node, above in parents.items() for p in above}
    for parent, node in layout.lengths:
        points = layout.wire(parent, node, 100)
        assert points[0] == layout.nodes[parent]
        assert points[-1] == layout.nodes[node]
        assert all(x0 < x1 for (x0, _), (x1, _) in pairwise(points))
        assert points[-1][0] - points[-2][0] >= 60


@given(graphs())
@settings(max_examples=50)
def test_nodes_stand_apart_and_within_the_picture(parents):
    layout = checked_layout(parents)
    for (x0, y0), (x1, y1) in combinations(layout.nodes.values(), 2):
        assert abs(x0 - x1) >= WIDTH or abs(y0 - y1) >= 40
    for x, y in layout.nodes.values():
        assert WIDTH / 2 <= x <= layout.width - WIDTH / 2
        assert 20 <= y <= layout.height - 20


def test_an_input_stands_beside_its_first_use():
    layout = checked_layout({0: [], 1: [0], 2: [1], 3: [], 4: [2, 3]})
    assert layout.nodes[3][0] == layout.nodes[2][0]


def test_two_pairs_that_need_not_cross_do_not():
    layout = checked_layout({0: [], 1: [], 2: [1], 3: [0], 4: [2], 5: [3]})
    above = layout.nodes[0][1] < layout.nodes[1][1]
    for left, right in [(3, 2), (5, 4)]:
        assert (layout.nodes[left][1] < layout.nodes[right][1]) == above


def test_a_long_wire_passes_around_the_nodes_between():
    layout = checked_layout({0: [], 1: [0], 2: [1], 3: [2, 0]})
    for (x, y), node in zip(layout.wire(0, 3, 9)[1:-1], (1, 2), strict=True):
        assert x == layout.nodes[node][0]
        assert abs(y - layout.nodes[node][1]) >= 40


def test_a_wire_can_be_limited_to_its_last_points():
    layout = checked_layout(
        {node: [node - 1] if node else [] for node in range(50)} | {50: [49, 0]}
    )
    whole = layout.wire(0, 50, 100)
    assert len(whole) == 51
    for most in (2, 3, 50, 51):
        assert layout.wire(0, 50, most) == whole[-most:]


@pytest.mark.parametrize("count", [1, 1000])
def test_chains_are_straight(count):
    layout = checked_layout({node: [node - 1] if node else [] for node in range(count)})
    assert len({round(y, 6) for _, y in layout.nodes.values()}) == 1


def test_nodes_of_any_height_stand_apart():
    sizes = {0: (40.0, 300.0), 1: (40.0, 40.0), 2: (40.0, 200.0), 3: (40.0, 40.0)}
    layout = lay_out({0: [], 1: [], 2: [], 3: [0, 1, 2]}, sizes, {})
    tops = sorted(
        (layout.nodes[i][1] - sizes[i][1] / 2, layout.nodes[i][1] + sizes[i][1] / 2)
        for i in range(3)
    )
    assert all(end < start for (_, end), (start, _) in pairwise(tops))
    assert tops[0][0] > 0
    assert tops[-1][1] < layout.height


def test_chosen_inputs_stand_in_the_first_column():
    parents = {0: [], 1: [0], 2: [], 3: [1, 2]}
    sizes = dict.fromkeys(parents, (40.0, 40.0))
    assert lay_out(parents, sizes, {}).nodes[2][0] > lay_out(parents, sizes, {}).nodes[0][0]
    layout = lay_out(parents, sizes, {}, first=[0, 2])
    assert layout.nodes[2][0] == layout.nodes[0][0]


def test_a_late_node_stands_before_its_use_and_widens_nothing():
    parents = {0: [], 1: [0], 2: [1], 3: [2], 9: [0], 4: [3, 9]}
    sizes = dict.fromkeys(parents, (40.0, 40.0))
    early, late = lay_out(parents, sizes, {}), lay_out(parents, sizes, {}, late={9})
    assert early.nodes[9][0] == early.nodes[1][0]
    assert late.nodes[9][0] == late.nodes[3][0]
    assert late.width == early.width
