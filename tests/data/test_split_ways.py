"""Splits by group, by time and as a column gives them."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlayers.data import DataError, Table, split, split_table

fractions = st.tuples(st.sampled_from([0, 0.1, 0.15, 0.3]), st.sampled_from([0, 0.15, 0.5]))


@given(
    sizes=st.lists(st.integers(1, 30), min_size=3, max_size=40),
    fractions=fractions,
    seed=st.integers(0, 99),
    classes=st.booleans(),
)
def test_a_group_is_in_one_part_and_parts_have_their_sizes_to_within_a_group(
    sizes, fractions, seed, classes
):
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    labels = rng.integers(0, 2, len(groups)) if classes else None
    parts = split(
        len(groups),
        validation=fractions[0],
        test=fractions[1],
        seed=seed,
        group=groups,
        stratify=labels,
    )
    assert sorted(np.concatenate(parts)) == list(range(len(groups)))
    assert sum(len(set(groups[part])) for part in parts) == len(sizes)
    assert len(parts.train)
    for part, fraction in zip(parts[1:], fractions, strict=True):
        assert bool(fraction) == bool(len(part))
        # A part that would be empty takes the smallest group of another.
        largest = max(sizes)
        assert abs(len(part) - fraction * len(groups)) <= (4 if classes else 2) * largest


def test_groups_of_one_row_split_as_the_fractions_say():
    parts = split(1000, validation=0.2, test=0.1, group=np.arange(1000), seed=3)
    assert [len(part) for part in parts] == [700, 200, 100]


def test_groups_are_split_in_proportion_of_their_most_frequent_class():
    # A tenth of the groups is of the rare class.
    groups = np.repeat(np.arange(200), 5)
    labels = np.where(groups % 10 == 0, "rare", "common").astype(object)
    labels[::5] = "common"
    for seed in range(5):
        parts = split(1000, validation=0.2, test=0.2, group=groups, stratify=labels, seed=seed)
        for part, rare in zip(parts, (12, 4, 4), strict=True):
            assert len(set(groups[part][labels[part] == "rare"])) == rare


def test_the_groups_drawn_depend_on_the_seed_and_not_on_the_order_of_rows():
    groups = np.array([f"g{number}" for number in range(30) for _ in range(2)], object)
    first = split(60, group=groups, seed=1)
    assert set(groups[first.test]) != set(groups[split(60, group=groups, seed=2).test])
    again = split(60, group=groups[::-1], seed=1)
    assert set(groups[first.test]) == set(groups[::-1][again.test])


@given(
    times=st.lists(st.integers(0, 12), min_size=3, max_size=60),
    fractions=fractions,
    data=st.data(),
)
def test_every_row_that_trains_is_earlier_than_every_row_that_tests(times, fractions, data):
    times = np.array(times)
    used = 1 + np.count_nonzero(fractions)
    if len(set(times.tolist())) < used:
        with pytest.raises(DataError, match=f"needs {used} different times, there are"):
            split(len(times), validation=fractions[0], test=fractions[1], time=times)
        return
    parts = split(len(times), validation=fractions[0], test=fractions[1], time=times)
    assert sorted(np.concatenate(parts)) == list(range(len(times)))
    assert [bool(len(part)) for part in parts[1:]] == [bool(fraction) for fraction in fractions]
    present = [times[part] for part in parts if len(part)]
    for earlier, later in itertools.pairwise(present):
        assert earlier.max() < later.min()


def test_different_times_split_as_the_fractions_say():
    times = np.random.default_rng(0).permutation(1000)
    parts = split(1000, validation=0.2, test=0.1, time=times)
    assert [len(part) for part in parts] == [700, 200, 100]
    assert times[parts.train].max() == 699
    assert times[parts.test].min() == 900


@pytest.mark.parametrize(
    "times",
    [
        ["2024-01-03", "2024-01-01", "2024-01-02"],
        ["2024-01-03T00:00", "2024-01-01T23:59", "2024-01-02T12:00:00.5"],
        # In UTC the first is the latest.
        ["2024-01-01T23:00-05:00", "2024-01-01T10:00+00:00", "2024-01-02T01:00+05:00"],
        np.array(["2024-01-03", "2024-01-01", "2024-01-02"], "datetime64[D]"),
        [3.5, -1.0, 2.0],
    ],
)
def test_times_are_numbers_dates_or_text(times):
    parts = split(3, validation=0.3, test=0.3, time=times)
    assert [part.tolist() for part in parts] == [[1], [2], [0]]


@pytest.mark.parametrize(
    ("form", "times"),
    [
        ("%d.%m.%Y", ["3.2.2024", "1.3.2023", "02.02.2024"]),
        ("%b %d, %y at %I %p", ["Feb 3, 24 at 1 PM", "Feb 3, 24 at 2 AM", "Feb 3, 24 at 9 AM"]),
        ("%y%m%d", [240203, 240201, 240202]),
        ("%d.%m.%Y", np.array(["2024-01-03", "2024-01-01", "2024-01-02"], "datetime64[D]")),
    ],
)
def test_times_in_a_stated_format_are_in_their_order(form, times):
    pytest.importorskip("pandas")
    table = Table({"when": times})
    for parts in (
        split(3, validation=0.3, test=0.3, time=times, time_format=form),
        split_table(table, validation=0.3, test=0.3, time="when", time_format=form),
    ):
        assert [part.tolist() for part in parts] == [[1], [2], [0]]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["31.1.2024", "30.2.2024"], "line 5: '30.2.2024' is not a date of the format %d.%m.%Y"),
        (["31.1.2024", "NA"], "line 5: 'NA' is a missing value, which cannot be split by time"),
    ],
)
def test_a_time_that_is_not_in_the_stated_format_is_named(cells, message):
    pytest.importorskip("pandas")
    table = Table({"day": cells}, origin="t.csv", lines=[2, 5])
    with pytest.raises(DataError, match=f"^t.csv: column 'day', {message}"):
        split_table(table, validation=0, test=0.5, time="day", time_format="%d.%m.%Y")


def test_a_column_gives_the_parts():
    parts = split(5, column=["test", "train", "val", "train", "validation"])
    assert [part.tolist() for part in parts] == [[1, 3], [2, 4], [0]]
    assert [len(part) for part in split(2, column=["train", "train"])] == [2, 0, 0]


def test_a_table_is_split_by_the_names_of_its_columns():
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 9, 50).astype(str).astype(object)
    table = Table({"id": ids, "day": rng.permutation(50) / 2}, origin="visits.csv")
    for way, name, values in (("group", "id", ids), ("time", "day", table.columns["day"])):
        by_name = split_table(table, seed=4, **{way: name})
        for part, expected in zip(by_name, split(50, seed=4, **{way: values}), strict=True):
            np.testing.assert_array_equal(part, expected)
    for part, expected in zip(split_table(table, seed=4), split(50, seed=4), strict=True):
        np.testing.assert_array_equal(part, expected)


TABLE = Table(
    {
        "id": np.array(["a", None, "b", "c"], object),
        "day": np.array(["2024-01-01", "2024-01-02", "31.1.2024", "2024-02-01"], object),
        "same": [1.0, 1.0, 1.0, 2.0],
        "part": np.array(["train", "test", "train", "holdout"], object),
        "tests": np.array(["test"] * 4, object),
        "number": [0.0, 1.0, np.nan, 0.0],
    },
    origin="visits.csv",
    lines=[2, 3, 5, 6],
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": "idd"}, "unknown column 'idd', did you mean 'id'?"),
        ({"group": "id"}, "column 'id', line 3: None is a missing value, which cannot be split by"),
        ({"time": "number"}, "column 'number', line 5: nan is a missing value, which cannot be"),
        ({"time": "day"}, "column 'day', line 5: '31.1.2024' is not a time: write 2026-03-31, "),
        ({"column": "part"}, "column 'part', line 6: 'holdout' is none of train, validation and"),
        ({"column": "same"}, "column 'same', line 2: 1.0 is none of train, validation and test"),
        ({"column": "tests"}, "no row is in the part 'train'"),
        ({"time": "same"}, "a split by time into train and validation and test needs 3 different "),
        ({"group": "same"}, "a split by group into train and validation and test needs 3 groups, "),
    ],
)
def test_bad_columns_of_a_table_are_named(options, message):
    with pytest.raises(DataError) as caught:
        split_table(TABLE, **options)
    assert str(caught.value).startswith(f"visits.csv: {message}")
    assert "\n" not in str(caught.value)


def test_arguments_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="group cannot be combined with time"):
        split(2, group=[1, 2], time=[1, 2])
    with pytest.raises(ValueError, match=r"group must have shape \(3,\), got \(2,\)"):
        split(3, group=[1, 2])
    with pytest.raises(ValueError, match="time_format needs time"):
        split(2, time_format="%Y")
    with pytest.raises(TypeError, match="time_format must be a string, such as"):
        split(2, time=[1, 2], time_format=["%Y"])
    with pytest.raises(DataError, match="needs 3 different times, there are 0"):
        split(0, time=[])
