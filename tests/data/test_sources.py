import inspect
import subprocess
import sys

import numpy as np
import pydantic
import pytest

from nnlayers import data

SHIPPED = {
    "digits": (1797, 64, np.int64),
    "iris": (150, 4, object),
    "wine": (178, 13, object),
    "breast_cancer": (569, 30, object),
    "diabetes": (442, 10, np.float64),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_sets_equal_scikit_learns(name):
    datasets = pytest.importorskip("sklearn.datasets")
    table = getattr(data, name)()
    rows, width, dtype = SHIPPED[name]
    bunch = getattr(datasets, f"load_{name}")()
    np.testing.assert_array_equal(np.stack(list(table.columns.values()), axis=1), bunch.data)
    assert list(table.columns) == [str(feature) for feature in bunch.feature_names]
    assert (len(table), len(table.columns), table.target.dtype) == (rows, width, dtype)
    expected = bunch.target if dtype is not object else bunch.target_names[bunch.target]
    np.testing.assert_array_equal(table.target, expected)
    assert table.origin == name


@pytest.mark.parametrize(
    ("module", "extra", "call"),
    [
        ("sklearn.datasets", "sklearn", lambda: data.iris()),
        ("pandas", "cli", lambda: data.csv("rows.csv", "y")),
    ],
)
def test_a_missing_library_names_the_extra(monkeypatch, module, extra, call):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=rf'pip install "nnlayers\[{extra}\]"'):
        call()


def test_import_loads_no_optional_library():
    code = (
        "import nnlayers.data, sys; "
        "print({'pandas', 'sklearn', 'pydantic', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_names_in_all_exist_once():
    assert all(hasattr(data, name) for name in data.__all__)
    assert len(set(data.__all__)) == len(data.__all__)


@pytest.mark.parametrize("name", [*SHIPPED, "csv", "npz", "spirals", "moons"])
def test_signatures_can_be_checked_strictly(name):
    source = getattr(data, name)
    checked = pydantic.validate_call(source, config=pydantic.ConfigDict(strict=True))
    assert inspect.signature(source).return_annotation == "Table"
    with pytest.raises(pydantic.ValidationError, match="no_such_argument"):
        checked(no_such_argument=1)


@pytest.mark.parametrize(("rows", "classes"), [(1000, 3), (7, 2), (5, 5)])
def test_spirals_classes_are_as_even_as_possible(rows, classes):
    table = data.spirals(rows, classes=classes)
    counts = np.bincount(table.target, minlength=classes)
    assert (counts.sum(), len(counts), np.ptp(counts) <= 1) == (rows, classes, True)
    assert list(table.columns) == ["x1", "x2"]


def test_spirals_without_noise_follow_their_arms():
    table = data.spirals(90, classes=3, turns=1.5, noise=0)
    points = table.columns["x1"] + 1j * table.columns["x2"]
    for arm in range(3):
        along = points[table.target == arm]
        radius = np.arange(1, 31) / 30
        np.testing.assert_allclose(
            along, radius * np.exp(2j * np.pi * (arm / 3 + 1.5 * radius)), atol=1e-14
        )


def test_spirals_noise_turns_points_and_keeps_radii():
    clean, noisy = (data.spirals(30000, noise=noise, seed=3) for noise in (0, 0.2))
    turned = (noisy.columns["x1"] + 1j * noisy.columns["x2"]) / (
        clean.columns["x1"] + 1j * clean.columns["x2"]
    )
    np.testing.assert_allclose(np.abs(turned), 1)
    assert np.angle(turned).std() == pytest.approx(0.2, rel=0.02)


@pytest.mark.parametrize("rows", [2, 3, 101])
def test_moons_without_noise_are_scikit_learns(rows):
    datasets = pytest.importorskip("sklearn.datasets")
    table = data.moons(rows, noise=0)
    sizes = (rows - rows // 2, rows // 2)
    points, labels = datasets.make_moons(sizes, shuffle=False)
    for label in (0, 1):
        ours = np.stack(list(table.columns.values()), axis=1)[table.target == label]
        np.testing.assert_allclose(ours, points[labels == label], atol=1e-15)


def test_moons_noise_has_its_standard_deviation():
    clean, noisy = (data.moons(20000, noise=noise) for noise in (0, 0.3))
    for name in ("x1", "x2"):
        noise = noisy.columns[name] - clean.columns[name]
        assert noise.std() == pytest.approx(0.3, rel=0.03)


@pytest.mark.parametrize("source", [data.spirals, data.moons])
def test_generated_points_depend_on_the_seed_alone(source):
    first, again, other = (source(50, seed=seed).columns["x1"] for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("source", "arguments", "error", "message"),
    [
        (data.spirals, {"classes": 1}, ValueError, "classes must be an integer .* 2, got 1"),
        (data.spirals, {"rows": 4, "classes": 5}, ValueError, "rows must be .* 5, got 4"),
        (data.spirals, {"turns": -1.0}, ValueError, "turns must be .*, got -1.0"),
        (data.spirals, {"noise": float("inf")}, ValueError, "noise must be .*, got inf"),
        (data.spirals, {"seed": -2}, ValueError, "seed must be .*, got -2"),
        (data.moons, {"rows": 1}, ValueError, "rows must be an integer of at least 2, got 1"),
        (data.moons, {"rows": 10.0}, TypeError, "rows must be .*, got 10.0"),
        (data.moons, {"noise": "much"}, TypeError, "noise must be .*, got 'much'"),
        (data.moons, {"noise": -0.1}, ValueError, "noise must be .*, got -0.1"),
    ],
)
def test_arguments_out_of_range_are_named_with_their_value(source, arguments, error, message):
    with pytest.raises(error, match=message):
        source(**arguments)
