import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlayers.data import DataError, Preprocessing, Table, split
from nnlayers.data.texts import MISSING

TABLE = Table(
    {"size": [1.0, 3.0, 8.0, 4.0], "color": ["red", "blue", "red", "green"], "flat": [0.1] * 4},
    target=["yes", "no", "no", "yes"],
    target_name="answer",
    origin="things",
)


def with_target(target):
    return Table({"x": np.arange(float(len(target)))}, target, "answer", "things")


@given(
    st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3), min_size=1),
    st.sampled_from([np.float32, np.float64]),
)
@settings(deadline=None)  # the first example imports scikit-learn
def test_numbers_are_standardised_as_scikit_learn_does(rows, dtype):
    sklearn = pytest.importorskip("sklearn.preprocessing")
    x = np.array(rows)
    # A column that differs only in its last digits is constant to scikit-learn and not here.
    x[:, np.ptp(x, axis=0) < 1e-5 * np.abs(x).max(axis=0)] = 7.0
    table = Table(dict(zip("abc", x.T, strict=True)), x[:, 0])
    features = Preprocessing().fit(table, "values").features(table, dtype)
    assert features.dtype == dtype
    np.testing.assert_allclose(
        features,
        sklearn.StandardScaler().fit_transform(x),
        rtol=4 * np.finfo(dtype).eps,
        atol=1e-9 if dtype is np.float64 else 1e-7,
    )


words = st.text(max_size=2).filter(lambda text: text.strip() not in MISSING)


@given(st.lists(words, min_size=1, max_size=12))
@settings(deadline=None)
def test_text_is_one_hot_as_scikit_learn_does(texts):
    sklearn = pytest.importorskip("sklearn.preprocessing")
    table = Table({"c": np.array(texts, dtype=object)}, np.arange(len(texts)))
    encoder = sklearn.OneHotEncoder(sparse_output=False)
    np.testing.assert_array_equal(
        Preprocessing(categories=["c"]).fit(table, "values").features(table),
        encoder.fit_transform(table.columns["c"][:, np.newaxis]),
    )


def test_features_have_the_order_of_training_for_any_order_of_columns():
    preprocessing = Preprocessing(standardize=False).fit(TABLE, "binary")
    assert (preprocessing.width, preprocessing.outputs) == (5, 1)
    columns = TABLE.columns
    shuffled = Table(
        {name: columns[name] for name in ("flat", "color", "size")} | {"more": [0] * 4}
    )
    expected = [[1, 0, 0, 1, 0.1], [3, 1, 0, 0, 0.1], [8, 0, 0, 1, 0.1], [4, 0, 1, 0, 0.1]]
    np.testing.assert_array_equal(preprocessing.features(shuffled, np.float64), expected)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e200, -1e-300])
def test_a_constant_column_is_encoded_as_zeros_and_other_values_as_differences(value):
    preprocessing = Preprocessing().fit(Table({"x": [value] * 7}, np.arange(7)), "values")
    features = preprocessing.features(Table({"x": [value, value + 1]}), np.float64)
    np.testing.assert_array_equal(features[:, 0], [0, value + 1 - value])


@pytest.mark.parametrize("unit", [1e-320, 5e-324, 1e-200, 1e200, 5.9e307])
def test_huge_and_tiny_numbers_are_standardised(unit):
    x = np.array([-3.0, 1.0, 2.0]) * unit
    features = Preprocessing().fit(Table({"x": x}, x), "values").features(Table({"x": x}))
    # Of subnormal numbers the mean and the deviation have only the digits that are left.
    rtol = 1e-6 if unit > 1e-300 else 1.0
    np.testing.assert_allclose(features[:, 0], np.array([-3, 1, 2]) / np.sqrt(14 / 3), rtol=rtol)


def test_the_fit_depends_on_the_training_rows_alone():
    rng = np.random.default_rng(0)
    table = Table({"x": rng.normal(size=60), "c": rng.choice(["a", "b"], 60)}, rng.normal(size=60))
    train, _, test = split(60)
    spoiled = {name: values.copy() for name, values in table.columns.items()}
    spoiled["x"][test], spoiled["c"][test] = 1e6, "z"
    target = table.target.copy()
    target[test] = -1e6
    learnt = [
        Preprocessing().fit(given.rows(train), "values").to_dict()
        for given in (table, Table(spoiled, target))
    ]
    assert learnt[0] == learnt[1]


@pytest.mark.parametrize(
    ("target", "kind", "classes"),
    [
        (["u", "v", "u", "w"], "classes", ("u", "v", "w")),
        (["v", "u", "v", "u"], "classes", ("u", "v")),
        ([7, -2, 7, 30], "classes", (-2, 7, 30)),
        ([1.0, 0.0, 2.0, 1.0], "classes", (0, 1, 2)),
        ([True, False, True, True], "binary", (0, 1)),
        (["no", "yes", "yes", "no"], "binary", ("no", "yes")),
    ],
)
def test_classes_are_codes_in_ascending_order_and_decode_inverts_them(target, kind, classes):
    table = with_target(target)
    preprocessing = Preprocessing().fit(table, kind)
    codes = preprocessing.targets(table, np.float64)
    expected = [classes.index(value) for value in target]
    if kind == "classes":
        assert (codes.shape, codes.dtype, preprocessing.outputs) == ((4,), np.int64, len(classes))
    else:
        assert (codes.shape, codes.dtype, preprocessing.outputs) == ((4, 1), np.float64, 1)
    np.testing.assert_array_equal(codes.ravel(), expected)
    assert preprocessing.classes == classes
    assert preprocessing.decode(codes).tolist() == target


@pytest.mark.parametrize("standardize", [True, False])
def test_values_are_one_column_and_decode_inverts_them(standardize):
    target = np.array([10.0, 20.0, 60.0, 7.0])
    preprocessing = Preprocessing(standardize_target=standardize).fit(with_target(target), "values")
    encoded = preprocessing.targets(with_target(target), np.float64)
    expected = (target - target.mean()) / target.std() if standardize else target
    np.testing.assert_allclose(encoded, expected[:, np.newaxis], rtol=1e-14)
    np.testing.assert_allclose(preprocessing.decode(encoded), target, rtol=1e-14)
    assert (preprocessing.classes, preprocessing.outputs) == ((), 1)
    assert preprocessing.targets(with_target(target)).dtype == np.float32


def test_decode_takes_decisions_of_a_binary_network():
    preprocessing = Preprocessing().fit(TABLE, "binary")
    logits = np.array([[-0.3], [2.0]])
    assert preprocessing.decode(logits > 0).tolist() == ["no", "yes"]


@pytest.mark.parametrize("kind", ["classes", "binary", "values"])
def test_a_fit_survives_json(kind):
    target = [3.5, 1 / 3, 9.0, 2.0] if kind == "values" else TABLE.target
    table = Table(TABLE.columns, target, "answer")
    preprocessing = Preprocessing(standardize_target=False).fit(table, kind)
    text = json.dumps(preprocessing.to_dict(), sort_keys=True, allow_nan=False)
    restored = Preprocessing.from_dict(json.loads(text))
    assert restored.to_dict() == preprocessing.to_dict() == json.loads(text)
    for ours, theirs in [
        (restored.features(table), preprocessing.features(table)),
        (restored.targets(table), preprocessing.targets(table)),
    ]:
        np.testing.assert_array_equal(ours, theirs)
    assert restored.columns == {"size": "numeric", "color": "categorical", "flat": "numeric"}
    assert (restored.target_name, restored.target_kind) == ("answer", kind)
    assert repr(restored) == repr(preprocessing)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.pop("columns"), "the entry 'columns' is missing"),
        (lambda data: data["columns"][0].pop("mean"), "the entry 'mean' is missing"),
        (lambda data: data["columns"][0].update(scale=0), "scale must be .* above 0, got 0"),
        (lambda data: data["columns"][0].update(mean="high"), "mean must be .*, got 'high'"),
        (lambda data: data["target"].update(kind="what"), "kind must be 'classes' .*, got 'what'"),
        (lambda data: data["target"].update(kind="values"), "do not fit its kind 'values'"),
        (lambda data: data["target"].update(values=[1, "a"]), "values must be integers or strings"),
        (lambda data: data["target"].update(values=[]), r"integers or strings, got \[\]"),
        (lambda data: data.update(target=None), "preprocessing: "),
        (lambda data: data["target"].update(values=["a", "a"]), "values must differ"),
        (lambda data: data["target"].update(values=["a", "\ud800"]), "'utf-8' codec can't encode"),
        (lambda data: data["target"].update(values=[1, 2**63]), "values must fit 64-bit integers"),
        (lambda data: data["target"].update(name=["y"]), "name must be a string, got"),
        (lambda data: data["columns"][0].update(name="\ud800"), "'utf-8' codec can't encode"),
        (lambda data: data.update(columns=[]), "columns must be at least one"),
        (lambda data: data["columns"].append(data["columns"][0]), "columns must be at least one"),
        (lambda data: data.update(columns="x"), "preprocessing: "),
    ],
)
def test_a_damaged_description_is_an_error_that_names_the_entry(change, message):
    data = Preprocessing().fit(TABLE, "binary").to_dict()
    change(data)
    with pytest.raises(DataError, match=f"^preprocessing: .*{message}|^{message}"):
        Preprocessing.from_dict(data)


def test_unseen_categories_are_zeros_with_one_warning():
    preprocessing = Preprocessing().fit(TABLE, "binary")
    columns = {"size": [1.0] * 3, "flat": [0.1] * 3, "color": ["pink", "red", "pink"]}
    with pytest.warns(UserWarning, match="column 'color' has 2 rows .*: 'pink'$") as caught:
        features = preprocessing.features(Table(columns))
    assert (len(caught), caught[0].filename) == (1, __file__)
    np.testing.assert_array_equal(features[:, 1:4], [[0, 0, 0], [0, 0, 1], [0, 0, 0]])


def test_no_rows_have_empty_features_and_targets():
    preprocessing = Preprocessing().fit(TABLE, "classes")
    empty = TABLE.rows([])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert preprocessing.features(empty).shape == (0, 5)
    assert preprocessing.targets(empty).shape == preprocessing.decode([]).shape == (0,)


@pytest.mark.parametrize(
    ("target", "kind", "message"),
    [
        (None, "values", "things: target 'answer' is missing"),
        (["a", "a"], "classes", "things: target 'answer' holds a single class, 'a'"),
        ([1, 1], "binary", "things: target 'answer' holds a single class, 1"),
        ([1, 2, 3], "binary", "must hold two classes to be binary, got 3: 1, 2, 3"),
        (["a", "b"], "values", "must hold numbers, got text: 'a', 'b'"),
        ([1.0, 0.5], "classes", r"row 1 \(counted from 0\): 0.5 is not a class"),
        (
            [1.0, math.nan],
            "binary",
            r"row 1 \(counted from 0\): nan is missing: fill it",
        ),
        ([1e300, 1.0], "classes", r"row 0 \(counted from 0\): 1e\+300 is not a class"),
        ([1.0, math.inf], "values", r"row 1 \(counted from 0\): inf is infinite"),
        ([], "values", "things: there are no rows to fit to"),
    ],
)
def test_targets_that_do_not_fit_their_kind_are_named(target, kind, message):
    table = Table({"x": np.ones(2 if target is None else len(target))}, target, "answer", "things")
    with pytest.raises(DataError, match=message):
        Preprocessing().fit(table, kind)


def test_fit_names_the_kinds_of_target():
    with pytest.raises(ValueError, match=r"^targets must be 'classes' .*, got 'numbers'$"):
        Preprocessing().fit(TABLE, "numbers")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"size": [1.0], "flat": [1.0]}, "new: unknown column 'color'"),
        (
            {"size": ["big"], "flat": [1.0], "color": ["red"]},
            r"new: column 'size', row 0 \(counted from 0\): 'big' is not a number",
        ),
        (
            {"size": [1.0], "flat": [-math.inf], "color": ["red"]},
            r"new: column 'flat', row 0 \(counted from 0\): -inf is infinite",
        ),
        (
            {"size": [1.0], "flat": [1e39], "color": ["red"]},
            r"new: column 'flat', row 0 \(counted from 0\): 1e\+39 is out of range",
        ),
    ],
)
def test_columns_that_do_not_fit_training_are_named(columns, message):
    preprocessing = Preprocessing().fit(TABLE, "binary")
    with pytest.raises(DataError, match=f"^{message}"):
        preprocessing.features(Table(columns, origin="new"))


@pytest.mark.parametrize("values", [[1.0, math.nan], ["a", "NA"], ["2026-01-01", None]])
def test_missing_values_are_named_where_they_are_refused(values):
    values = np.array(values, "datetime64[s]" if "2026-01-01" in values else None)
    strict = Preprocessing(missing="error")
    problem = r"column 'x', row 1 \(counted from 0\): .* is missing: fill it, or set missing to"
    with pytest.raises(DataError, match=problem):
        strict.fit(Table({"x": values}, [0, 1]), "binary")
    strict.fit(Table({"x": values[[0, 0]]}, [0, 1]), "binary")
    with pytest.raises(DataError, match=problem):
        strict.features(Table({"x": values}))


def test_a_class_that_is_not_in_training_is_an_error():
    preprocessing = Preprocessing().fit(TABLE, "classes")
    other = Table(TABLE.columns, ["no", "maybe", "yes", "no"], "answer", "new")
    with pytest.raises(DataError, match=r"row 1 \(counted from 0\): 'maybe' is not a class of the"):
        preprocessing.targets(other)


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        ([[0, 1]], r"encoded targets must be of shape \(rows,\), got \(1, 2\)"),
        ([0, 2], r"row 1 \(counted from 0\): 2 is not in 0\.\.1"),
        ([0.5], r"row 0 \(counted from 0\): 0.5 is not in 0\.\.1"),
    ],
)
def test_decode_takes_codes_only(encoded, message):
    with pytest.raises(DataError, match=message):
        Preprocessing().fit(TABLE, "classes").decode(encoded)


@pytest.mark.parametrize("name", ["features", "targets", "decode"])
def test_nothing_can_be_encoded_before_fit(name):
    with pytest.raises(RuntimeError, match="call fit first"):
        getattr(Preprocessing(), name)(TABLE)


@pytest.mark.parametrize("method", ["features", "targets"])
def test_other_dtypes_than_floats_are_refused(method):
    with pytest.raises(ValueError, match="dtype must be float32 or float64, got"):
        getattr(Preprocessing().fit(TABLE, "binary"), method)(TABLE, np.int64)
