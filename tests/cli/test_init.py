"""nnlayers init: from a table to a config that trains without an edit."""

import csv
import tomllib

import numpy as np
import pytest

ROWS = 150


@pytest.fixture
def table(workplace):
    """A file with columns of every kind, and a target that some of them explain."""
    rng = np.random.default_rng(0)
    size, color = rng.normal(size=ROWS), rng.choice(["red", "green", "blue"], ROWS)
    city = rng.integers(60, size=ROWS)
    outcome = np.where(size + (color == "red") + rng.normal(size=ROWS) / 2 > 0.3, "=yes", "no")
    days = np.datetime64("2024-01-01") + rng.integers(0, 700, ROWS)
    rows = [
        {
            "id": row + 1000,
            "size": "" if row % 9 == 0 else f"{size[row]:.3f}",
            "price": f"${np.exp(8 + size[row] + rng.normal()):,.2f}",
            "color": "?" if row % 11 == 0 else color[row],
            "city": f"city {city[row]}",
            "day": str(days[row]),
            "tells": "won" if outcome[row] == "=yes" else "lost",
            "amount": rng.poisson(np.exp(1 + size[row] / 2)),
            "outcome": "" if row == 5 else outcome[row],
        }
        for row in range(ROWS)
    ]
    with (workplace / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return workplace / "table.csv"


def test_a_config_of_init_trains_evaluates_and_predicts_without_an_edit(run, table):
    status, out, err = run("init", "table.csv", "--target", "outcome")
    assert (status, err) == (0, [])
    assert out[0] == f"table.csv: {ROWS} rows"
    assert out[1].startswith("target outcome: two classes: ")
    assert out[-1] == "config in table.toml; to train: nnlayers train table.toml"
    roles = {line.split()[0]: line.split()[1] for line in out[3:-1]}
    assert roles == {
        "size": "number",
        "price": "number",
        "color": "category",
        "city": "embedded",
        "day": "date",
        "amount": "number",
        "id": "ignored",
        "tells": "ignored",
    }
    assert "gives outcome away: alone it tells all of it" in "\n".join(out)
    status, out, err = run("train", "table.toml", "--set", "training.epochs=3", "--out", "a")
    assert (status, err) == (0, [])
    assert out[-1].startswith("test accuracy ")
    tested = out[-1]
    assert run("evaluate", "a") == (0, [tested], [])
    status, out, _ = run("evaluate", "a", "table.csv")
    assert (status, len(out)) == (0, 1)
    status, out, err = run("predict", "a", "table.csv")
    assert (status, len(out), err) == (0, ROWS + 1, [])
    assert out[0] == "outcome,probability =yes,probability no"


@pytest.mark.parametrize(
    ("target", "loss"),
    [("size", "MeanSquaredError"), ("amount", "Poisson"), ("color", "SoftmaxCr")],
)
def test_a_config_of_init_trains_for_every_kind_of_target(run, table, target, loss):
    assert run("init", "table.csv", "--target", target, "-o", "config.toml")[0] == 0
    assert f'type = "{loss}' in (table.parent / "config.toml").read_text()
    status, _, err = run("train", "config.toml", "--set", "training.epochs=2", "--out", "a")
    assert (status, err) == (0, [])
    status, out, err = run("predict", "a", "table.csv")
    assert (status, len(out), err) == (0, ROWS + 1, [])
    if target == "amount":
        assert min(float(line) for line in out[1:]) > 0


def test_a_table_of_another_dialect_trains(run, workplace):
    rng = np.random.default_rng(0)
    lines = ["grösse;art;y"]
    for _ in range(60):
        x = rng.normal()
        lines.append(
            f"{x:.2f};{rng.choice(['ä', 'ö'])};{3 * x + rng.normal():.2f}".replace(".", ",")
        )
    (workplace / "t.csv").write_text("\n".join(lines))
    assert run("init", "t.csv", "--target", "y")[0] == 0
    assert run("train", "t.toml", "--set", "training.epochs=2", "--out", "a")[0] == 0
    assert run("predict", "a", "t.csv")[0] == 0


def test_a_dialect_that_is_not_found_by_itself_is_set_and_kept_in_the_config(run, workplace):
    rng = np.random.default_rng(0)
    rows = [f"{x:.2f}:{rng.choice(['ä', 'ö'])}:{2 * x:.2f}" for x in rng.normal(size=60)]
    text = "\n".join(["größe:art:y", *rows, *["-999:ä:1.0"] * 20]).replace(".", ",")
    (workplace / "t.csv").write_text(text, encoding="latin-1")
    status, _, err = run("init", "t.csv", "--target", "y")
    assert (status, len(err)) == (2, 1)
    assert "set encoding" in err[0]
    options = ("encoding=latin-1", "separator=:", "decimal=,", 'missing=["-999"]')
    settings = [word for option in options for word in ("--set", f"data.{option}")]
    status, out, err = run("init", "t.csv", "--target", "y", *settings)
    assert (status, err) == (0, [])
    assert {line.split()[0]: line.split()[1] for line in out[3:-1]} == {
        "größe": "number",
        "art": "category",
    }
    data = tomllib.loads((workplace / "t.toml").read_text())["data"]
    assert data == {
        "type": "csv",
        "path": "t.csv",
        "target": "y",
        "encoding": "latin-1",
        "separator": ":",
        "decimal": ",",
        "missing": ["-999"],
    }
    assert run("train", "t.toml", "--set", "training.epochs=2", "--out", "a")[0] == 0
    assert run("predict", "a", "t.csv")[0] == 0


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data.encoding=none", "--set: data: encoding must be one of Python's, such as 'latin-1'"),
        ("data.decimal=3", "--set: data: decimal must be a string, got 3"),
        ("data.seperator=;", "--set: data: unknown option 'seperator', did you mean 'separator'?"),
        ("seed=3", "--set: init takes keys such as data.encoding or data.separator; set seed in"),
        ("data=3", "--set: init takes keys such as data.encoding or data.separator; set data in"),
        ("data.header=maybe", "--set: data: header must be True or False, got 'maybe'"),
        ("encoding", "--set must be key=value, got 'encoding'"),
    ],
)
def test_a_setting_that_says_nothing_of_a_file_is_refused(run, table, setting, message):
    status, out, err = run("init", "table.csv", "--target", "outcome", "--set", setting)
    assert (status, out, len(err)) == (2, [], 1)
    assert err[0].startswith(f"nnlayers: {message}")


def test_the_names_of_columns_are_written_and_printed_harmlessly(run, workplace):
    names = ['a"b', "c\\d", "e\x1b[31mf", "g.h", "[i]", "ключ", "n\tm"]
    rng = np.random.default_rng(0)
    with (workplace / "t.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "y"])
        numbers = np.exp(4 * rng.normal(size=(40, len(names)))).round(3)
        writer.writerows([*values, row % 2] for row, values in enumerate(numbers))
    status, out, err = run("init", "t.csv", "--target", "y")
    assert (status, err) == (0, [])
    assert "\x1b" not in "".join(out)
    config = tomllib.loads((workplace / "t.toml").read_text(encoding="utf-8"))
    assert config["preprocessing"]["log"] == names
    assert run("train", "t.toml", "--set", "training.epochs=1", "--out", "a")[0] == 0


def test_a_file_without_a_header_is_trained_by_the_numbers_of_its_columns(run, workplace):
    rng = np.random.default_rng(0)
    rows = [f"{x:.3f},{'uv'[int(x > 0)]}" for x in rng.normal(size=60)]
    (workplace / "t.csv").write_text("\n".join(rows) + "\n")
    status, _, err = run("init", "t.csv", "--target", "y")
    assert (status, len(err)) == (2, 1)
    assert "if the file has no header, name columns by number, such as 'column 1'" in err[0]
    assert run("init", "t.csv", "--target", "column 2")[0] == 0
    assert tomllib.loads((workplace / "t.toml").read_text())["data"]["header"] is False
    assert run("train", "t.toml", "--set", "training.epochs=1", "--out", "a")[0] == 0


def test_an_existing_config_stays(run, table):
    (table.parent / "table.toml").write_text("# mine\n")
    status, out, err = run("init", "table.csv", "--target", "outcome")
    message = "nnlayers: -o: table.toml exists already: name another file, or remove it"
    assert (status, out, err) == (2, [], [message])
    assert (table.parent / "table.toml").read_text() == "# mine\n"


@pytest.mark.parametrize(
    ("content", "target", "message"),
    [
        ("a,y\n1,2\n", "z", "t.csv: unknown column 'z'. Known: a, y"),
        ("", "y", "t.csv: the file is empty"),
        ("a,y\n", "y", "t.csv: there is a header but no row"),
        ("a,a,y\n1,2,3\n", "y", "t.csv: line 1: the header names column 'a' twice"),
        ("a,y\n" + "1,7\n" * 9, "y", "t.csv: target 'y' is '7' in all rows that have it"),
        ("a,y\n" + "1,\n" * 9, "y", "t.csv: target 'y' is missing in all 9 rows"),
        (
            "a,y\n" + "1,u\n2,v\n" * 9 + "x,u\n" + "1,u\n" * 9,
            "y",
            "t.csv: column 'a', line 20: 'x' is not",
        ),
        (
            "a,y\n" + "1,u\n2,v\n" * 9 + "inf,u\n",
            "y",
            "t.csv: column 'a', line 20: inf is infinite",
        ),
        (
            "a,y\n" + "1,u\n1,v\n" * 9,
            "y",
            "t.csv: there is no column to learn from: 'a' is 1 in all",
        ),
    ],
)
def test_a_bad_table_is_one_line_and_leaves_no_config(run, workplace, content, target, message):
    (workplace / "t.csv").write_text(content)
    status, out, err = run("init", "t.csv", "--target", target)
    assert (status, out, len(err)) == (2, [], 1)
    assert err[0].startswith(f"nnlayers: {message}")
    assert not (workplace / "t.toml").exists()


def test_a_missing_file_is_one_line(run, workplace):
    status, _, err = run("init", "none.csv", "--target", "y")
    assert (status, err) == (2, ["nnlayers: none.csv: No such file or directory"])


def test_a_table_of_many_columns_is_shown_in_part(run, workplace):
    rng = np.random.default_rng(0)
    header = ",".join([*(f"x{number}" for number in range(500)), "y"])
    rows = np.column_stack([rng.normal(size=(30, 500)).round(2), np.arange(30) % 2])
    np.savetxt(workplace / "wide.csv", rows, fmt="%g", delimiter=",", header=header, comments="")
    status, out, err = run("init", "wide.csv", "--target", "y")
    assert (status, err) == (0, [])
    assert out[-2] == "... and 300 more columns"
    assert len((workplace / "wide.toml").read_text().splitlines()) < 60
    train = ("train", "wide.toml", "--set", "training.epochs=1", "--out", "a")
    assert run(*train)[0] == 0
