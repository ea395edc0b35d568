"""Configs and run directories."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from nnlayers.config import ConfigError, Run, load_run, prepare, read
from nnlayers.config.fingerprint import text_fingerprint
from nnlayers.data import DataError

from .measuring import BrokenPromiseError
from .model_targets import HEADER_WORDS, TABLE_VALUES, altered_entries, seal
from .mutations import altered, altered_json, altered_value
from .targets import Case, Target, choose

ROWS = "size,color,day,y\n" + "".join(
    f"{i}.5,{['red', 'blue', 'green'][i % 3]},20{i % 30 + 10}-01-02,{['yes', 'no'][i % 2]}\n"
    for i in range(60)
)
CONFIG = """
seed = 1
[data]
type = "csv"
path = {path}
target = "y"
[split]
test = 0.2
[preprocessing]
dates = ["day"]
embed = ["color"]
[model]
type = "Sequential"
layers = [
    {{type = "EntityEmbedding", dim = 2}},
    {{type = "Affine", out_features = 4}},
    {{type = "BatchNorm"}},
    {{type = "Dropout", rate = 0.1}},
    {{type = "Affine"}},
]
[loss]
type = "SoftmaxCrossEntropy"
label_smoothing = 0.1
[optimizer]
type = "Adam"
lr = {{type = "CosineDecay", lr = 0.01}}
scale."*.b" = 0.1
[training]
epochs = 2
batch_size = 16
metrics = ["accuracy", "f1"]
callbacks = [{{type = "EarlyStopping", patience = 5}}]
engine = "numpy"
"""
WORDS = [b"type = ", b"[data]", b"[[training.callbacks]]", b"= 1e999", b"= -1", b'= "nan"', b"= []"]
WORDS += [
    b"= {}",
    b"[a.b.c]\n",
    b"= true",
    b"'''",
    b'"',
    b"\n",
    b"= 2020-01-01",
    b"= inf",
    b"= nan",
]
WORDS += [b"Affine", b"mlp", b"Huber", b"moons", b"SGD", b"= 99999999999999999999", b"[" * 200]
WORDS += [b'"os.system"', b"= 0.0", b"= 1", b"\xff", b"a." * 100, b"= [1, 'a']", b"#"]


class Config(Target):
    """Configs: what they describe is built, but not trained."""

    name = "config"
    errors = (ConfigError, DataError, ModuleNotFoundError)
    needs = ("pandas", "tomli_w")

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        rows = self.path("rows.csv", ROWS.encode())
        text = CONFIG.format(path=json.dumps(str(rows)))
        self.seed = text.encode()
        path = self.path("seed.toml", self.seed)
        self.table = read(path)

    def draw(self, rng: np.random.Generator) -> Case:
        """Return a config with other bytes or other values."""
        if rng.random() < 0.5:
            return Case(altered(self.seed, rng, [], WORDS))
        extra = ["Affine", "Sequential", "mlp", "moons", "Huber", 0.5, 3, "nnlayers.ReLU", "y"]
        extra += [{"type": "ReLU"}, {"type": "Adam", "lr": 0.1}, ["size"], "size", "all"]
        table = altered_value(self.table, rng, 0.04, extra)
        import tomli_w

        try:
            return Case(tomli_w.dumps(table if isinstance(table, dict) else {"x": table}).encode())
        except (TypeError, ValueError):  # TOML holds no null and no lone surrogate.
            return Case(altered(self.seed, rng, [], WORDS))

    def read(self, case: Case) -> None:
        """Build all that a config describes."""
        path = self.path("config.toml", case.content)
        prepare(read(path), str(path))

    def size(self, case: Case) -> int:
        """Return more than the file's size: a config may ask for many rows and a large model."""
        return 10 << 20


def train(directory: Path, *, ended: bool) -> None:
    """Write the directory of a run that has ended, or was killed after its second epoch."""
    source = directory.parent / "config.toml"
    rows = directory.parent / "rows.csv"
    rows.write_text(ROWS)
    source.write_text(CONFIG.format(path=json.dumps(str(rows))))
    run = Run(prepare(read(source), str(source)), directory)
    if not ended:
        run._write_end = lambda: None
    run.train()


class RunDirectory(Target):
    """Directories of which one file is altered; sealed ones may have the checksum that belongs."""

    name = "run"
    errors = (ConfigError, DataError, ModuleNotFoundError)
    needs = ("pandas", "tomli_w")
    # The ends of the names of files with a checksum.
    sealed = (".json", ".csv", "model.nn", ".npz")

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.files: dict[tuple[str, str], bytes] = {}
        # What is read of a directory, or of the checkpoint before the newest.
        self.expected: dict[str, list[Any]] = {}
        for name in ("ended", "killed"):
            run = directory / name
            train(run, ended=name == "ended")
            for path in sorted(run.iterdir()):
                if path.suffix != ".png":
                    self.files[name, path.name] = path.read_bytes()
            self.expected[name] = [self.found(name)]
            (run / "checkpoint.npz").write_bytes(b"")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.expected[name].append(self.found(name))
            self.restore()

    def draw(self, rng: np.random.Generator) -> Case:
        """Return the content of a file, and the directory and name of it."""
        key = choose(rng, sorted(self.files))
        content, suffix = self.files[key], Path(key[1]).suffix
        if rng.random() < 0.4:
            return Case(
                altered(content, rng, [], WORDS if suffix == ".toml" else ()), (*key, False)
            )
        # The checksum of a text of metrics is in the checkpoint.
        return Case(forged(key[1], content, rng), (*key, suffix != ".csv"))

    def read(self, case: Case) -> None:
        """Read all that a directory holds, and predict."""
        run, name, is_forged = case.way
        (self.directory / run / name).write_bytes(case.content)
        try:
            found = self.found(run)
        finally:
            self.restore()
        if name.endswith(self.sealed) and not is_forged and found not in self.expected[run]:
            raise BrokenPromiseError(f"an altered {name} is read as another")

    def found(self, run: str) -> Any:
        """Return what a run directory says and predicts."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return results(self.directory / run)

    def restore(self) -> None:
        """Write all files as they were; a resume replaces a damaged checkpoint."""
        for key, content in self.files.items():
            (self.directory / key[0] / key[1]).write_bytes(content)


def results(directory: Path) -> list[Any]:
    """Return what a run directory says and predicts."""
    run = load_run(directory)
    row = {"size": [1.0, None], "color": ["red", "x"], "day": ["2020-01-02", None]}
    run.history.to_html(directory.parent / "page.html")
    found: list[Any] = [str(run.predict(row)), str(run.predict_proba(row)), repr(run.history)]
    return [*found, run.test_scores, run.seconds, run.evaluate()]


def forged(name: str, content: bytes, rng: np.random.Generator) -> bytes:
    """Return a file of a run with other values, and the checksum that belongs to them."""
    if name.endswith(".json"):
        table = json.loads(altered_json(content, rng, ["numbers", "dates", [1.0, 2.0], 0.5, 3]))
        if isinstance(table, dict) and "sha256" in table:
            table["sha256"] = text_fingerprint({k: v for k, v in table.items() if k != "sha256"})
        return json.dumps(table).encode()
    if name.endswith(".npz"):
        return altered_archive(content, rng)
    if name.endswith(".nn"):
        return seal(altered_entries(content, rng))
    if name.endswith(".csv"):
        words = [b"nan", b"inf", b"1e999", b",", b"\n", b"loss", b"\0", b'"', b"epoch", b"-1", b"2"]
        return altered(content, rng, [], words)
    return altered(content, rng, [], WORDS)


def altered_archive(content: bytes, rng: np.random.Generator) -> bytes:
    """Return an archive of which some arrays are other ones."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    arrays = {name: np.load(io.BytesIO(entry)) for name, entry in entries.items()}
    for _ in range(int(rng.integers(1, 3))):
        name = choose(rng, sorted(entries.keys() & arrays.keys()))
        kind = rng.random()
        if kind < 0.3:
            entries[name] = (
                altered(entries[name][:128], rng, [], HEADER_WORDS) + entries[name][128:]
            )
        elif kind < 0.9:
            buffer = io.BytesIO()
            np.save(buffer, other_array(arrays[name], rng))
            entries[name] = buffer.getvalue()
        else:
            entries[choose(rng, ["x.npy", "model.0.W.npy", "history.loss.npy"])] = entries.pop(name)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, entry in entries.items():
            archive.writestr(name, entry)
    return buffer.getvalue()


def other_array(array: Any, rng: np.random.Generator) -> Any:
    """Return an array of another shape or dtype, or with other values."""
    if array.dtype.kind == "U" and rng.random() < 0.5:
        text = str(array)
        is_json = text.startswith("{")
        return np.array(altered_json(text, rng, TABLE_VALUES) if is_json else text[::-1])
    kind = int(rng.integers(8))
    if kind == 0:
        return array.reshape(1, *array.shape)
    if kind == 1:
        return np.zeros(array.shape, choose(rng, ["U5", "S3", "?", ">f8", "f2", "i8", "c16"]))
    if kind == 2:
        return np.full(array.shape, choose(rng, [np.nan, np.inf, -1.0, 1e300, 2.0**63, 0.5]))
    if kind == 3:
        return np.full(array.shape, choose(rng, [-1, 0, 2**63 - 1, -(2**63), 10**6]))
    if kind == 4:
        return np.array("NaT", "M8[s]")
    if kind == 5:
        return np.zeros(0)
    if kind == 6:
        return np.array(choose(rng, ["", "nan", "1", "true", "\ud7ff", "{}", "[" * 5000]))
    return np.repeat(array, 2)


class Resume(RunDirectory):
    """Directories that training goes on from."""

    name = "resume"
    sealed = ("config.toml", "preprocessing.json", ".csv", ".npz")

    def draw(self, rng: np.random.Generator) -> Case:
        """Return a file that a resume reads, of the run that was killed."""
        while True:
            case = super().draw(rng)
            if case.way[0] == "killed" and case.way[1] not in ("model.nn", "baseline.json"):
                return case

    def found(self, run: str) -> Any:
        """Return the state from which training goes on."""
        if run == "ended":
            return None
        if not hasattr(self, "experiment"):
            source = self.directory / "config.toml"
            self.experiment = prepare(read(source), str(source))
            self.fresh = self.experiment.trainer.state_dict()
        trainer = self.experiment.trainer
        callbacks = list(trainer.callbacks)
        resumed = Run(self.experiment, self.directory / run)
        try:
            resumed.resume()
            resumed._lock.release()
            return {name: array.tobytes() for name, array in trainer.state_dict().items()}
        finally:
            trainer.callbacks[:] = callbacks
            trainer.load_state_dict(self.fresh)
