"""Roles of columns and configs, inferred from tables."""

import tomllib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlayers.data import DataError, Preprocessing, Table, infer

pandas = pytest.importorskip("pandas")

ROWS = 240


def draw(seed=0):
    """Return a generator and columns of numbers that a target can be made of."""
    rng = np.random.default_rng(seed)
    return rng, rng.normal(size=ROWS), rng.choice(["red", "green", "blue"], ROWS).astype(object)


def roles(columns, target, name="y"):
    """Return the role and the reason of each column."""
    inference = infer(Table(columns, target, name, "t.csv"), name)
    return {column.name: (column.role, column.reason) for column in inference.columns}


def role_of(values, target=None):
    rng, x, _ = draw()
    target = (x > 0).astype(int) if target is None else target
    return roles({"other": rng.normal(size=len(target)), "c": values}, target)["c"]


def text(values):
    return np.array(list(values), object)


def test_columns_of_every_kind_have_their_roles():
    rng, x, color = draw()
    days = np.datetime64("2024-01-01") + rng.integers(0, 700, ROWS)
    columns = {
        "id": np.arange(1000.0, 1000.0 + ROWS),
        "size": np.where(rng.random(ROWS) < 0.1, np.nan, x),
        "price": text(f"${value:,.2f}" for value in np.exp(rng.normal(8, 1, ROWS))),
        "share": text(f"{value:.1f}%" for value in rng.uniform(0, 100, ROWS)),
        "color": color,
        "city": text(f"city {number}" for number in rng.integers(60, size=ROWS)),
        "paid": text(rng.choice(["yes", "no"], ROWS)),
        "day": text(map(str, days)),
        "stamp": days.astype("datetime64[s]") + rng.integers(0, 86400, ROWS),
        "note": text(f"some words about row {number}" for number in range(ROWS)),
        "code": text(f"X{number:05}" for number in range(ROWS)),
        "kind": text(["one"] * ROWS),
        "empty": np.full(ROWS, np.nan),
        "colour": text(map(str.upper, color)),
    }
    found = roles(columns, (x + rng.normal(size=ROWS) > 0).astype(int))
    assert {name: role for name, (role, _) in found.items()} == {
        "id": "ignored",
        "size": "number",
        "price": "number",
        "share": "number",
        "color": "category",
        "city": "embedded",
        "paid": "boolean",
        "day": "date",
        "stamp": "date",
        "note": "ignored",
        "code": "ignored",
        "kind": "ignored",
        "empty": "ignored",
        "colour": "ignored",
    }
    assert found["id"][1] == "is a whole number that differs in each row: an identifier"
    assert found["note"][1].endswith("240 different values in 240 rows: free text")
    assert found["code"][1].endswith("240 different values in 240 rows: an identifier")
    assert found["kind"][1] == "is one in all rows"
    assert found["empty"][1] == "has no value in any row"
    assert found["colour"][1] == "says the same as color"
    assert found["price"][1].endswith(" $")
    assert found["day"][1].startswith("2024-01-0")


@pytest.mark.parametrize(
    ("target", "task", "loss"),
    [
        (lambda rng: rng.integers(2, size=ROWS), "binary", "SigmoidCrossEntropy"),
        (lambda rng: rng.integers(1, 3, size=ROWS) * 1.0, "binary", "SigmoidCrossEntropy"),
        (lambda rng: text(rng.choice(["no", "yes"], ROWS)), "binary", "SigmoidCrossEntropy"),
        (lambda rng: rng.integers(10, size=ROWS), "classes", "SoftmaxCrossEntropy"),
        (lambda rng: rng.integers(1, 6, size=ROWS), "classes", "SoftmaxCrossEntropy"),
        (lambda rng: text(rng.choice(["u", "v", "w"], ROWS)), "classes", "SoftmaxCrossEntropy"),
        (lambda rng: rng.poisson(10, size=ROWS), "counts", "Poisson"),
        (lambda rng: rng.poisson(1.5, size=10 * ROWS), "counts", "Poisson"),
        (lambda rng: rng.normal(size=ROWS), "numbers", "MeanSquaredError"),
        (lambda rng: rng.integers(1000, 9000, size=ROWS), "numbers", "MeanSquaredError"),
        (lambda rng: rng.binomial(6, 0.5, size=ROWS) + 3, "numbers", "MeanSquaredError"),
        (lambda rng: text(f"${value}" for value in range(ROWS)), "numbers", "MeanSquaredError"),
        (lambda rng: np.where(rng.random(ROWS) < 0.5, 0.5, 1.5), "numbers", "MeanSquaredError"),
    ],
)
def test_the_loss_fits_the_target(target, task, loss):
    rng = np.random.default_rng(0)
    values = target(rng)
    inference = infer(Table({"x": rng.normal(size=len(values))}, values, "y"), "y")
    assert (inference.target.task, inference.config["loss"]["type"]) == (task, loss)
    kind = {"binary": "binary", "classes": "classes"}.get(task, "values")
    settings = inference.config["preprocessing"]
    Preprocessing(**settings).fit(Table({"x": rng.normal(size=len(values))}, values, "y"), kind)


@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_columns_that_give_a_class_away_are_named(noise):
    rng, x, color = draw()
    y = text(np.where(x > 0, "yes", "no"))
    flipped = np.where(rng.random(ROWS) < noise, "alive", np.where(x > 0, "alive", "dead"))
    found = roles(
        {"word": text(flipped), "score": 3 * x + 5, "color": color, "z": rng.normal(size=ROWS)}, y
    )
    assert found["word"] == ("ignored", "gives y away: alone it tells all of it")
    assert found["score"] == ("ignored", "gives y away: alone it tells all of it")
    assert [found[name][0] for name in ("color", "z")] == ["category", "number"]


@pytest.mark.parametrize("change", [lambda y: 2 * y + 1, np.exp, lambda y: -np.cbrt(y)])
def test_columns_that_give_a_number_away_are_named(change):
    rng = np.random.default_rng(0)
    y = rng.normal(size=4000)
    found = roles({"copy": change(y), "hint": y + 0.2 * rng.normal(size=4000)}, y)
    assert found["copy"][0] == "ignored"
    assert found["copy"][1].startswith("gives y away: alone it tells ")
    assert found["hint"][0] == "number"


def test_a_good_column_and_an_identifier_do_not_give_the_target_away():
    rng, x, _ = draw()
    y = (x + 0.3 * rng.normal(size=ROWS) > 0).astype(int)
    found = roles({"x": x, "code": rng.permutation(ROWS) + 0.5}, y)
    assert [role for role, _ in found.values()] == ["number", "number"]


def test_the_only_column_is_kept_even_if_it_gives_the_target_away():
    _, x, _ = draw()
    assert roles({"x": x}, 2 * x)["x"][0] == "number"


def test_numbers_are_preferred_to_text_that_says_the_same():
    rng, x, _ = draw()
    rank = rng.integers(1, 4, ROWS)
    found = roles({"class": text(map("class {}".format, rank)), "rank": rank}, x)
    assert (found["class"], found["rank"][0]) == (("ignored", "says the same as rank"), "number")


def test_different_numbers_do_not_say_the_same():
    rng, x, _ = draw()
    found = roles(
        {"a": rng.normal(size=ROWS), "b": rng.normal(size=ROWS), "c": x}, x + rng.normal(size=ROWS)
    )
    assert {role for role, _ in found.values()} == {"number"}


@pytest.mark.parametrize(
    ("values", "role"),
    [
        (np.arange(ROWS) + 7, "ignored"),
        (np.random.default_rng(1).permutation(ROWS), "ignored"),
        (np.arange(ROWS) * 3, "number"),
        (text(["a", *"b" * (ROWS - 1)]), "category"),
        (np.append(np.ones(ROWS - 9), [np.nan] * 9), "boolean"),
        (text(["a"] * (ROWS - 9) + [None] * 9), "category"),
        (text(f"{hour}:30" for hour in np.arange(ROWS) % 24), "category"),
        (text(f"{value},5" for value in range(ROWS)), "number"),
        (text(f"{value}" if value % 4 else f"A/5 {value}" for value in range(ROWS)), "ignored"),
        (text(f"2024-01-{1 + day % 50:02}" for day in range(ROWS)), "category"),
        (text(f"{year}0203" for year in 1900 + np.arange(ROWS) % 150), "date"),
    ],
)
def test_single_columns_have_their_roles(values, role):
    assert role_of(values)[0] == role


@pytest.mark.parametrize("wrong", ["2021-02-30", "99999-12-31", "soon"])
def test_a_cell_that_is_not_a_date_among_dates_is_named(wrong):
    days = text(map(str, np.datetime64("2020-01-01") + np.arange(ROWS)))
    days[7] = wrong
    message = rf"'c', row 7 .*: '{wrong}' is not a date of the format ISO8601: correct it, or leave"
    with pytest.raises(DataError, match=message):
        role_of(days)


def test_dates_that_fit_two_formats_are_said():
    rng = np.random.default_rng(0)
    days = text(f"{a:02}/{b:02}/2024" for a, b in rng.integers(1, 13, size=(ROWS, 2)))
    role, reason = role_of(days)
    assert role == "date"
    assert reason.endswith("read as %m/%d/%Y, though %d/%m/%Y fits too")


def test_the_config_is_stable_and_lists_the_reasons():
    rng, x, color = draw()
    table = Table({"x": x, "c": color, "k": ["u"] * ROWS}, rng.normal(size=ROWS), "y", "a/t.csv")
    texts = {str(infer(table, "y")) for _ in range(2)}
    assert len(texts) == 1
    text = texts.pop()
    assert 'ignore = [\n    "k",  # is u in all rows\n]' in text
    assert '    "c",  # 3 levels: ' in text
    assert text.startswith("# A network for t.csv: 240 rows, 3 columns.\n# Target y: ")
    assert infer(table, "y").config == tomllib.loads(text)


def test_rows_without_a_target_are_left_out():
    _, x, _ = draw()
    y = np.where(np.arange(ROWS) % 10 == 0, np.nan, (x > 0).astype(float))
    inference = infer(Table({"x": x + np.random.default_rng(1).normal(size=ROWS)}, y, "y"), "y")
    assert (inference.rows, inference.target.missing) == (ROWS - 24, 24)
    assert inference.config["preprocessing"]["missing_target"] == "drop"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([3.0] * 30, "target 'y' is '3' in all rows that have it"),
        (["a"] * 30, "target 'y' is 'a' in all rows that have it"),
        ([np.nan] * 30, "target 'y' is missing in all 30 rows"),
        (
            [f"name {i}" for i in range(30)],
            "target 'y' is different in each row: 'name 0', 'name 1'",
        ),
        (
            [f"name {i // 2}" for i in range(30)],
            "target 'y' has classes of fewer than 3 rows, which",
        ),
        ([f"name {i % 16}" for i in range(30)], "target 'y' has 16 classes in 30 rows"),
        (
            ["a"] * 28 + ["b", "b"],
            "target 'y' has classes of fewer than 3 rows, .*: 'b': join them",
        ),
        (
            np.arange(30).astype("datetime64[D]"),
            "target 'y' holds dates: predict a number or a class",
        ),
        ([*np.arange(29.5), np.inf], r"target 'y', row 30 .*: inf is infinite: replace it"),
        (
            ["1"] * 15 + ["2"] * 14 + ["x"],
            r"target 'y', row 29 .*: 'x' is not a number: correct it",
        ),
    ],
)
def test_targets_that_cannot_be_learnt_are_named(target, message):
    table = Table({"x": np.random.default_rng(0).normal(size=len(target))}, target, "y", "t")
    with pytest.raises(DataError, match=f"^t: {message}"):
        infer(table, "y")


def test_a_table_without_a_column_to_learn_from_is_named():
    table = Table({"k": [1.0] * 30, "n": np.arange(30.0)}, [0, 1] * 15, "y", "t")
    with pytest.raises(
        DataError, match="there is no column to learn from: 'k' is 1 in all rows, 'n' is"
    ):
        infer(table, "y")


def test_an_unknown_target_suggests_the_nearest():
    with pytest.raises(DataError, match="unknown column 'prise', did you mean 'price'"):
        infer(pandas.DataFrame({"price": [1.0], "x": [2.0]}), "prise")


def test_a_data_frame_is_read_as_its_file_is(tmp_path):
    rng, x, color = draw()
    frame = pandas.DataFrame({"x": x, "c": color, "y": rng.integers(2, size=ROWS)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    ours, theirs = infer(frame, "y"), infer(tmp_path / "t.csv", target="y")
    assert ours.columns == theirs.columns
    assert "data" not in ours.config
    assert theirs.config["data"]["path"] == str(tmp_path / "t.csv")


def test_more_than_two_hundred_columns_are_not_listed():
    values = np.random.default_rng(0).normal(size=(201, 1500))
    columns = {f"x{number}": column for number, column in enumerate(values)}
    target = [0, 1] * 750
    assert "piecewise" not in infer(Table(columns, target, "y"), "y").config["preprocessing"]
    del columns["x0"]
    assert "piecewise" in infer(Table(columns, target, "y"), "y").config["preprocessing"]


@given(
    st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), min_size=6, max_size=20),
    st.text(min_size=1, max_size=8),
)
@settings(deadline=None)
def test_any_text_and_any_names_give_a_config_or_a_data_error(rows, name):
    cells = text([*(cell for cell, _ in rows), "a", "b"])
    try:
        inference = infer(
            Table(
                {name: cells, "x": np.arange(len(cells)) * 0.7},
                [0, 1] * (len(cells) // 2) + [1] * (len(cells) % 2),
                "y",
                name,
            ),
            "y",
        )
    except DataError:
        return
    assert {column.name for column in inference.columns} == {name, "x"}
    Preprocessing(**inference.config["preprocessing"])


def test_only_text_files_have_a_dialect():
    table = Table({"a": np.arange(20.0)}, target=np.arange(20) % 2)
    with pytest.raises(ValueError, match="encoding is an option of text files, got another table"):
        infer(table, "target", encoding="latin-1")
    with pytest.raises(ValueError, match="unknown option 'rows'"):
        infer("rows.csv", "target", rows=3)
