"""Roles of columns: what each becomes, learnt on the training rows and kept in JSON."""

import contextlib
import copy
import datetime
import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nnlayers.data import DataError, Preprocessing, Table
from nnlayers.data.dates import date_formats
from nnlayers.data.roles import Roles
from nnlayers.data.scaling import LogScaler, PiecewiseScaler, QuantileScaler
from nnlayers.data.texts import NumberFormat, levels_of

pytest.importorskip("pandas")


def texts(*cells):
    return np.array(cells, object)


def encode(values, rows=None, **roles):
    """Fit a column named c to some values, and return its features for some rows."""
    roles = {role: ["c"] for role, named in roles.items() if named is True} | {
        name: value for name, value in roles.items() if value is not True
    }
    table = Table({"c": values}, np.arange(float(len(values))), "y", "t")
    fitted = Preprocessing(**roles).fit(table, "values")
    restored = Preprocessing.from_dict(json.loads(json.dumps(fitted.to_dict(), allow_nan=False)))
    assert restored.to_dict() == fitted.to_dict()
    assert repr(restored) == repr(fitted)
    rows = table if rows is None else Table({"c": rows}, origin="new")
    features = fitted.features(rows, np.float64)
    np.testing.assert_array_equal(restored.features(rows, np.float64), features)
    assert features.shape == (len(rows), fitted.width)
    return features


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1,234.5", "12", "-3"], [1234.5, 12, -3]),
        (["1.234,5", "12,25", "-3"], [1234.5, 12.25, -3]),
        (["1,234", "2,345,678"], [1234, 2345678]),
        (["12%", "3.5 %", "-1%"], [12, 3.5, -1]),
        (["$5", "-$1,000", "$ 2.50", "($3)", "7"], [5, -1000, 2.5, -3, 7]),
        (["5 €", "1.000,50 €"], [5, 1000.5]),
        (["USD 3", "4 USD"], [3, 4]),
        (["1 000", "2\u00a0000", "3\u202f000"], [1000, 2000, 3000]),
        (["1'000", "2’500"], [1000, 2500]),
        (["1e3", "2.5E-2", ".5", "5."], [1000, 0.025, 0.5, 5]),
        (["+1", "−2", " 3 "], [1, -2, 3]),
        (["1,23,456", "12"], [123456, 12]),
        (["yes", "No", "YES"], [1, 0, 1]),
        (["True", "false"], [1, 0]),
    ],
)
def test_numbers_and_booleans_are_read_as_people_write_them(cells, numbers):
    features = encode(texts(*cells, *cells), standardize=False)
    np.testing.assert_array_equal(features[:, 0], [*numbers, *numbers])


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6))
def test_numbers_in_text_are_read_to_the_last_bit(numbers):
    notation = NumberFormat()
    assert [notation.read(f"{number:,}") for number in numbers] == numbers
    assert [notation.read(repr(number)) for number in numbers] == numbers


@pytest.mark.parametrize("cells", [["1,5 €", "2 $", "3 €"], ["20%", "0.3", "5%"]])
def test_numbers_of_two_units_are_an_error_that_names_the_row(cells):
    with pytest.raises(
        DataError, match=r"^t: column 'c', row 1 .* is not a number in [€%]: correct"
    ):
        encode(texts(*cells))


@given(st.lists(st.text(max_size=6), max_size=8))
@settings(deadline=None)
def test_any_text_is_numbers_or_categories_or_a_data_error(cells):
    with contextlib.suppress(DataError):
        assert np.isfinite(encode(texts(*cells, "a"))).all()


def test_a_column_that_turns_to_text_late_names_the_line():
    cells = texts(*["7"] * 5000, "x", *["8"] * 10)
    table = Table({"c": cells}, np.arange(len(cells)), "y", "a.csv", np.arange(2, len(cells) + 2))
    message = r"^a\.csv: column 'c', line 5002: 'x' is not a number: correct it, or list the column"
    with pytest.raises(DataError, match=message):
        Preprocessing().fit(table, "values")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_the_fill_is_the_median(values):
    encoder = Roles().fit(Table({"x": values}))["x"]
    low, high = sorted(values)[(len(values) - 1) // 2], sorted(values)[len(values) // 2]
    assert encoder.fill == pytest.approx(low / 2 + high / 2, rel=1e-15, abs=1e-323)


@pytest.mark.parametrize(("missing", "fill"), [("median", 2.0), ("mean", 5.0)])
@pytest.mark.parametrize("as_text", [False, True])
def test_a_missing_number_is_filled_and_indicated(missing, fill, as_text):
    values = np.array([1.0, 2.0, 12.0, np.nan])
    if as_text:
        values = texts("1", "2", "12", "NA")
    features = encode(values, missing=missing, standardize=False)
    np.testing.assert_array_equal(features, [[1, 0], [2, 0], [12, 0], [fill, 1]])


def test_a_number_that_was_never_missing_in_training_is_filled_with_a_warning():
    with pytest.warns(
        UserWarning, match="'c' has 1 missing value, in training it had none"
    ) as seen:
        features = encode([1.0, 2.0, 3.0], [np.nan, 3.0], standardize=False)
    np.testing.assert_array_equal(features, [[2], [3]])
    assert len(seen) == 2  # once for the restored one


@pytest.mark.parametrize("values", [[np.nan] * 3, texts("", "NA", None), texts("?", "?", "?")])
def test_a_column_without_any_value_is_constant(values):
    features = encode(values)
    assert np.ptp(features, axis=0).max() == 0
    assert np.isfinite(features).all()


def test_missing_is_a_level_of_a_category():
    features = encode(texts("b", "?", "a", None), categories=True)
    np.testing.assert_array_equal(features, [[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 0, 1]])


def test_rare_levels_share_the_feature_of_unknown_ones():
    values = texts("a", "a", "b", "b", "once", "a")
    features = encode(values, texts("b", "once", "new"), categories=True, min_count=2)
    np.testing.assert_array_equal(features, [[0, 1, 0], [0, 0, 1], [0, 0, 1]])


@pytest.mark.parametrize(("role", "places"), [("categories", [0, 1]), ("embed", [0])])
def test_a_category_that_training_never_missed_has_the_place_of_unknown_levels(role, places):
    rows = texts("a", None, "NA", "new")
    features = encode(texts("a", "a", "once"), rows, **{role: True}, min_count=2)
    np.testing.assert_array_equal(features, [[1, 0][: len(places)], *[places] * 3])
    with pytest.warns(UserWarning, match="did not see, (all zeros|id 0): 'a missing value', 'new'"):
        features = encode(texts("a", "a", "b"), rows, **{role: True})
    assert features[0].any()
    assert not features[1:].any()


def test_embedded_categories_are_ids_with_zero_for_unknown_and_rare_ones():
    values = texts("b", "a", "b", None, "a", "once")
    rows = texts("a", "b", None, "new", "once")
    features = encode(values, rows, embed=True, min_count=2)
    np.testing.assert_array_equal(features[:, 0], [1, 2, 3, 0, 0])
    table = Table({"n": np.ones(6), "c": values, "d": values}, np.arange(6))
    fitted = Preprocessing(embed=["c", "d"], min_count=2).fit(table, "values")
    assert fitted.ids == {1: 4, 2: 4}


def test_categories_of_numbers_are_the_same_whole_or_not():
    features = encode([1.0, 2.0, 2.5], texts("2", "1", "2.5"), categories=True)
    np.testing.assert_array_equal(features, [[0, 1, 0], [1, 0, 0], [0, 0, 1]])


@given(
    st.lists(st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2100, 1, 1)), min_size=2)
)
@settings(deadline=None)
def test_dates_are_elapsed_time_year_and_cycles(dates):
    values = np.array(dates, "datetime64[us]")
    table = Table({"c": values}, np.arange(len(values)))
    fitted = Preprocessing().fit(table, "values")
    parts = list(fitted.encoders["c"].parts)
    features = fitted.features(table, np.float64)
    elapsed = np.array(
        [(date - datetime.datetime(1970, 1, 1)) / datetime.timedelta(1) for date in dates]
    )
    expected = {
        "elapsed": elapsed,
        "year": np.array([float(date.year) for date in dates]),
        "month": np.array([date.month - 1 for date in dates]) / 12,
        "weekday": np.array([date.weekday() for date in dates]) / 7,
        "hour": elapsed % 1,
    }
    assert parts == [name for name, numbers in expected.items() if numbers.min() < numbers.max()]
    columns = []
    for name in parts:
        numbers = expected[name]
        if name in ("elapsed", "year"):
            columns.append((numbers - numbers.mean()) / numbers.std())
        else:
            columns += [np.sin(2 * np.pi * numbers), np.cos(2 * np.pi * numbers)]
    np.testing.assert_allclose(features, np.array(columns).T.reshape(features.shape), atol=1e-6)


@pytest.mark.parametrize(
    "notation",
    ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y-%m-%dT%H:%M:%S", "%d %b %Y", "%B %d, %Y", "%Y%m%d"],
)
def test_dates_in_text_are_read_in_the_format_that_fits(notation):
    dates = [datetime.datetime(2024, 1, 31) + datetime.timedelta(17 * step) for step in range(40)]
    written = texts(*(date.strftime(notation) for date in dates))
    expected = encode(np.array(dates, "datetime64[us]"))
    np.testing.assert_array_equal(encode(written, dates=True), expected)
    given_format = {"c": notation}
    np.testing.assert_array_equal(encode(written, dates=given_format), expected)


def test_dates_of_other_kinds_in_new_rows_are_the_same():
    values = texts("2024-05-01", "2024-06-02T12:00:00+02:00", "2025-01-01")
    new = np.array(["2024-05-01", "2024-06-02T10"], "datetime64[ns]")
    np.testing.assert_array_equal(encode(values, new, dates=True), encode(values, dates=True)[:2])


def test_a_missing_date_is_average_without_a_season():
    features = encode(texts("2024-01-01", "2024-07-01", None), dates=True)
    np.testing.assert_allclose(features[2], [0, 0, 0, 1], atol=1e-12)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            ["2024-05-01", "2024-13-01"],
            r"row 1 .*: '2024-13-01' is not a date of the format ISO8601",
        ),
        (["2024-05-01", "2024-02-30"], r"row 1 .*: '2024-02-30' is not a date"),
        (
            ["1/2/2024", "31/31/2024", "3/4/2024"],
            "row 1 .*: '31/31/2024' is not a date of the format",
        ),
        (["soon", "later"], "has dates of no known format, such as 'soon': give theirs, as dates"),
    ],
)
def test_text_that_is_not_a_date_is_named(cells, message):
    with pytest.raises(DataError, match=message):
        encode(texts(*cells), dates=True)


def test_dates_beyond_the_range_of_nanoseconds_are_read_and_beyond_all_are_named():
    assert np.isfinite(encode(texts("0001-01-01", "9999-12-31"), dates=True)).all()
    values = np.array([0, 2**62], "datetime64[s]")
    with pytest.raises(DataError, match=r"column 'c', row 1 .* is out of range"):
        encode(values)


def test_a_format_that_is_none_is_named():
    with pytest.raises(DataError, match="'%Q' is not a format of dates"):
        encode(texts("2024-05-01"), dates={"c": "%Q"})


@pytest.mark.parametrize(
    "cells", [["Ulm", "Bonn"], ["12", "34"], ["1.5", "2.25"], ["12:30", "13:45"], ["555-1234", "5"]]
)
def test_other_text_is_no_date(cells):
    assert date_formats(cells) == []


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
@example([2.0, 1e-308, 1e-308])
def test_log_scaling_keeps_order_sign_and_zero(numbers):
    values = np.array(numbers)
    scaler = LogScaler.fit(values)
    raw = scaler.standardizer.raw(scaler.scaled(values)[:, 0])
    np.testing.assert_allclose(
        raw, np.sign(values) * np.log1p(np.abs(values) / scaler.unit), rtol=1e-9, atol=1e-9
    )
    sizes = np.abs(values[values != 0])
    assert scaler.unit == (max(np.median(sizes), 1e-30 * sizes.max()) if len(sizes) else 1)


@given(st.integers(2, 2000), st.integers(0, 9))
@settings(deadline=None)
def test_quantile_scaling_agrees_with_scikit_learn(rows, seed):
    sklearn = pytest.importorskip("sklearn.preprocessing")
    rng = np.random.default_rng(seed)
    values = np.round(rng.lognormal(size=rows), seed % 3)
    theirs = sklearn.QuantileTransformer(
        n_quantiles=min(257, rows), output_distribution="normal", subsample=None
    ).fit_transform(values[:, np.newaxis])
    ours = QuantileScaler.fit(values).scaled(values)
    inside = np.abs(theirs) < 2.5
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=1e-5 if rows > 257 else 0.6)


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40),
    st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=10),
    st.integers(1, 9),
)
def test_piecewise_encoding_agrees_with_its_formula(train, numbers, intervals):
    scaler = PiecewiseScaler.fit(np.array(train), intervals)
    edges = scaler.edges
    assert 1 <= scaler.width <= max(intervals, 1)
    expected = np.empty((len(numbers), scaler.width))
    for row, x in enumerate(numbers):
        for t, (low, high) in enumerate(pairwise(edges)):
            lowest, highest = -1.0 if t == 0 else 0.0, 2.0 if t == scaler.width - 1 else 1.0
            expected[row, t] = min(max((x - low) / (high - low), lowest), highest)
    np.testing.assert_allclose(scaler.scaled(np.array(numbers)), expected, rtol=1e-9, atol=1e-9)


def test_piecewise_edges_resolve_the_rest_of_a_column_of_zeros():
    values = np.append(np.zeros(9000), np.arange(1.0, 1001.0))
    inner = np.array(PiecewiseScaler.fit(values, 16).edges)
    assert len(inner) == 17
    assert np.diff(inner[1:]).max() < 2 * np.diff(inner[1:]).min()


@pytest.mark.parametrize("role", ["log", "quantile", "piecewise"])
@pytest.mark.parametrize("unit", [1e-320, 5e-324, 1e-200, 1.0, 1e200, 5.9e307])
def test_huge_tiny_and_constant_numbers_are_scaled(role, unit):
    x = np.array([-3.0, 0.0, 1.0, 1.0, 2.0]) * unit
    features = encode(x, **{role: True})
    assert np.isfinite(features).all()
    assert np.isfinite(encode(np.full(4, unit), np.array([unit, -unit]), **{role: True})).all()


@pytest.mark.parametrize("role", ["log", "quantile", "piecewise"])
def test_scaled_numbers_in_text_with_missing_ones_are_indicated(role):
    features = encode(texts("$1", "$20", "", "$300"), **{role: True})
    np.testing.assert_array_equal(features[:, -1], [0, 0, 1, 0])


@pytest.mark.parametrize(
    ("roles", "error", "message"),
    [
        (
            {"ignore": ["d"]},
            DataError,
            "t: ignore: unknown column 'd', did you mean 'c'|t: ignore: unkn",
        ),
        ({"ignore": ["c"]}, DataError, "t: no feature column is left: all are in ignore"),
        (
            {"log": ["c"], "quantile": ["c"]},
            ValueError,
            "quantile must not name 'c', which log names",
        ),
        (
            {"categories": ["c"], "dates": ["c"]},
            ValueError,
            "categories must not name 'c', which da",
        ),
        ({"ignore": "c"}, TypeError, "ignore must be a list of names of columns, got 'c'"),
        ({"embed": [3]}, TypeError, "embed must be a list of names of columns, got \\(3,\\)"),
        (
            {"missing": "zero"},
            ValueError,
            "missing must be 'median' or 'mean' or 'error', got 'zero'",
        ),
        ({"missing_target": "keep"}, ValueError, "missing_target must be 'error' or 'drop'"),
        ({"min_count": 0}, ValueError, "min_count must be an integer of at least 1"),
        ({"intervals": 0}, ValueError, "intervals must be an integer of at least 1"),
        ({"standardize": "no"}, TypeError, "standardize must be True or False"),
        ({"log": ["w"]}, DataError, r"t: column 'w', row 0 .*: 'u' is not a number: correct it"),
        ({"dates": {"c": 3}}, TypeError, "dates must give the format of 'c' as text, got 3"),
    ],
)
def test_roles_that_do_not_fit_are_named(roles, error, message):
    table = Table({"c": [1.0, 2.0], "w": ["u", "v"]}, [1.0, 2.0], "y", "t")
    table = Table({"c": [1.0, 2.0]}, [1.0, 2.0], "y", "t") if roles == {"ignore": ["c"]} else table
    with pytest.raises(error, match=f"^{message}"):
        Preprocessing(**roles).fit(table, "values")


def test_text_of_many_levels_is_named_with_what_to_do():
    values = texts(*(f"name {number}" for number in range(200)))
    with pytest.warns(UserWarning, match=r"text of 200 levels in 200 rows, .*: list it in ignore"):
        Preprocessing().fit(Table({"c": values}, np.arange(200)), "values")


def test_rows_without_a_target_are_an_error_or_left_out():
    table = Table({"x": [1.0, 2.0, 3.0]}, texts("a", "?", "b"), "y", "t")
    with pytest.raises(
        DataError, match=r"t: target 'y', row 1 .*: '\?' is missing: fill it, or set m"
    ):
        Preprocessing().labelled(table)
    kept = Preprocessing(missing_target="drop").labelled(table)
    assert (kept.target.tolist(), kept.columns["x"].tolist()) == (["a", "b"], [1.0, 3.0])
    nothing = Table({"x": [1.0]}, [math.nan], "y", "t")
    with pytest.raises(DataError, match="t: target 'y' is missing in all 1 rows"):
        Preprocessing(missing_target="drop").labelled(nothing)


def test_a_target_of_numbers_in_text_is_read_and_decoded_as_numbers():
    table = Table({"x": [1.0, 2.0, 3.0]}, texts("$1,000", "$2,000", "$3,000"), "y")
    fitted = Preprocessing().fit(table, "values")
    assert fitted.decode(fitted.targets(table, np.float64)).tolist() == [1000, 2000, 3000]
    restored = Preprocessing.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert restored.to_dict() == fitted.to_dict()


def every_encoder():
    """Return a description with a column of each role."""
    values = {
        "number": [1.0, np.nan, 3.0, 4.0],
        "money": texts("$1", "$2", None, "$3,000"),
        "log": [1.0, 2.0, 3.0, 400.0],
        "rank": [1.0, 2.0, 3.0, 400.0],
        "pieces": [1.0, 2.0, 3.0, 400.0],
        "word": texts("a", "b", None, "a"),
        "city": texts("a", "b", None, "a"),
        "day": texts("2024-01-01", "2025-02-02", None, "2026-03-03"),
    }
    roles = {"log": ["log"], "quantile": ["rank"], "piecewise": ["pieces"], "embed": ["city"]}
    table = Table(values, [1.0, 2.0, 3.0, 4.0], "y")
    fitted = Preprocessing(**roles, dates=["day"], min_count=2).fit(table, "values")
    return fitted.to_dict(), table


JUNK = [None, "x", -1, 1e999, [], {}, "\ud800", True, 10**400, [1, "a"], [3, 2, 1]]


def paths(item, path=()):
    """Yield the path of every entry within a description."""
    entries = item.items() if isinstance(item, dict) else enumerate(item)
    for key, value in entries:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from paths(value, (*path, key))


@pytest.mark.untraced
@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_a_damaged_description_is_a_data_error_or_still_works(junk):
    data, table = every_encoder()
    for path in paths(data):
        damaged = copy.deepcopy(data)
        entry = damaged
        for key in path[:-1]:
            entry = entry[key]
        entry[path[-1]] = junk
        with contextlib.suppress(DataError):
            assert np.isfinite(Preprocessing.from_dict(damaged).features(table)).all()


def test_levels_of_text_count_rows():
    levels = levels_of(texts("a", None, "NA", "a", " "))
    assert (levels.texts, levels.counts.tolist()) == (["a", None], [2, 3])


def test_text_columns_without_rows_have_features_without_rows():
    texts = {"price": ["$1", "$2"], "day": ["3.4.2026", "4.4.2026"], "color": ["red", "blue"]}
    table = Table({name: np.array(cells, object) for name, cells in texts.items()}, target=[1.0, 2])
    preprocessing = Preprocessing(dates={"day": "%d.%m.%Y"}).fit(table, "values")
    assert preprocessing.features(table.rows(slice(0, 0))).shape == (0, preprocessing.width)
