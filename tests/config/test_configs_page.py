"""The page on configs names every key, and its examples run."""

import dataclasses
import re
import tomllib

import documentation
import numpy as np
import pytest

from nnlayers.config import ConfigError, Run, families, prepare
from nnlayers.config.builder import arguments_of
from nnlayers.config.experiment import Sections

pd = pytest.importorskip("pandas")

PAGE = "reference/configs.md"
TEXT = documentation.read(PAGE)
BLOCKS = [
    tomllib.loads(block) for block in re.findall(r"^```toml\n(.*?)^```$", TEXT, re.M | re.DOTALL)
]
# The program passes these arguments, so that a config has no keys for them.
SUPPLIED = {"rows", "table", "stratify", "params", "categorical"}
# No table holds the distributions that the loss needs, and no text the functions of the callback.
NOT_IN_CONFIGS = {"KLDivergence", "LambdaCallback"}


def merged(base, block):
    """Return a config with the keys of a block; a table of another type replaces the old one."""
    if not (isinstance(base, dict) and isinstance(block, dict)):
        return block
    if block.get("type", base.get("type")) != base.get("type"):
        return block
    return base | {key: merged(base.get(key), value) for key, value in block.items()}


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Write the files that the page names to the working directory."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    n = 60
    table = pd.DataFrame(
        {
            "id": np.arange(n),
            "district": rng.choice(["east", "north", "west"], n),
            "rooms": rng.integers(1, 6, n),
            "area": rng.normal(100, 20, n).round(1),
            "built": pd.date_range("1950-01-01", periods=n, freq="100D").strftime("%Y-%m-%d"),
            "income": rng.lognormal(10, 1, n).round(2),
            "price": rng.normal(300, 50, n).round(1),
            "part": rng.choice(["train", "validation", "test"], n),
            "day": pd.date_range("2024-01-01", periods=n).strftime("%Y-%m-%d"),
            "household": rng.integers(0, 15, n),
            "weight": rng.uniform(0.5, 2, n).round(2),
        }
    )
    assert f"`{','.join(table)}`" in TEXT
    table.loc[::4, "area"] = None
    table.to_csv("houses.csv", index=False)
    table.to_csv("unusual.csv", index=False, sep=";", decimal=",", encoding="latin-1")
    rows = rng.normal(size=(n, 3))
    np.savetxt("nameless.csv", rows, delimiter=",")
    np.savez("houses.npz", X=rows, y=rows[:, 0], w=np.ones(n))
    for name, array in {"features": rows, "target": rows[:, 0], "weights": np.ones(n)}.items():
        np.save(f"{name}.npy", array)
    return table


@pytest.mark.parametrize("index", range(len(BLOCKS)))
def test_an_example_trains_and_is_tested(files, tmp_path, index):
    config = merged(BLOCKS[0], BLOCKS[index])
    kind = config["data"]["type"]
    if kind in ("parquet", "feather"):
        pytest.importorskip("pyarrow")
        getattr(files, f"to_{kind}")(f"houses.{kind}")
    callbacks = config["training"].get("callbacks", [])
    if any(callback["type"] == "TensorBoard" for callback in callbacks):
        pytest.importorskip("tensorboard")
    run = Run(prepare(config, "houses.toml"), tmp_path / "run")
    run.train()
    assert run.test().startswith("test ")


def keys_of(table, owner=""):
    """Yield the keys of a config, each with the type or the section of its table."""
    owner = table.get("type", owner)
    for key, value in table.items():
        yield owner, key
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from keys_of(inner, key)


IN_EXAMPLES = {pair for block in BLOCKS for pair in keys_of(merged(BLOCKS[0], block))}


@pytest.mark.parametrize("section", ["", "split", "preprocessing", "training"])
def test_every_key_of_a_section_is_in_an_example(files, section):
    change = {"no_such_key": 1}
    config = merged(BLOCKS[0], {section: change} if section else change)
    with pytest.raises(ConfigError, match="unknown key 'no_such_key'") as caught:
        prepare(config, "houses.toml")
    keys = str(caught.value).partition("Known: ")[2].split(", ")
    assert len(keys) >= 4
    assert [key for key in keys if (section, key) not in IN_EXAMPLES] == []


@pytest.mark.parametrize(
    "family",
    [
        families.SOURCES,
        families.LOSSES,
        families.OPTIMIZERS,
        families.SCHEDULES,
        families.CALLBACKS,
        families.INITIALIZERS,
    ],
    ids=lambda family: family.noun,
)
def test_every_constructor_is_named_and_every_argument_of_it_is_in_an_example(family):
    constructors = {n: make for n, make in family.known.items() if n not in NOT_IN_CONFIGS}
    assert [name for name in constructors if not re.search(rf"\b{name}\b", TEXT)] == []
    keys = {
        (name, key)
        for name, make in constructors.items()
        for key in arguments_of(make).keys() - SUPPLIED
    }
    if family is families.LOSSES:  # All of them have the argument.
        keys = {(name, key) for name, key in keys if key != "reduction"}
        assert ("Huber", "reduction") in IN_EXAMPLES
    assert sorted(keys - IN_EXAMPLES) == []


def test_tables_by_parameter_are_in_an_example():
    assert {("AdamW", "scale"), ("AdamW", "decay")} <= IN_EXAMPLES


@pytest.mark.parametrize("section", [field.name for field in dataclasses.fields(Sections)])
def test_every_section_has_a_heading_or_a_sentence(section):
    headings = re.findall(r"^## .*$", TEXT, re.M)
    if section in ("seed", "dtype"):
        assert f"\n`{section}` is " in TEXT or f" `{section}` is that " in TEXT
    else:
        assert any(heading.startswith(f"## `{section}`: ") for heading in headings)
