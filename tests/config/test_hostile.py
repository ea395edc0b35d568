"""A config or a run directory of a stranger runs no code, whichever key has a hostile name."""

import inspect
import sys

import pytest

from nnlayers.config import ConfigError, Run, load_run, prepare
from nnlayers.config.document import dumps, read
from nnlayers.config.families import (
    CALLBACKS,
    INITIALIZERS,
    LAYERS,
    LOSSES,
    METRICS,
    OPTIMIZERS,
    SCHEDULES,
    SOURCES,
    resolve,
)


def words(text):
    return text.split()


FAMILIES = [CALLBACKS, INITIALIZERS, LAYERS, LOSSES, METRICS, OPTIMIZERS, SCHEDULES, SOURCES]
OUTSIDE = words("""
_posixsubprocess.fork_exec _thread.interrupt_main antigravity.fly asyncio.run atexit.register
bdb.run builtins.__import__ builtins.breakpoint builtins.compile builtins.eval builtins.exec
builtins.input builtins.open cProfile.run cffi.FFI code.interact code.InteractiveConsole
codeop.compile_command concurrent.futures.ProcessPoolExecutor ctypes.CDLL
ctypes.util.find_library dbm.open doctest.testfile ensurepip.bootstrap faulthandler._sigsegv
fileinput.input functools.partial functools.reduce gc.get_objects http.server.HTTPServer
idlelib.run.main imaplib.IMAP4_stream importlib.import_module importlib.reload io.open
joblib.load linecache.getline logging.config.fileConfig logging.config.listen marshal.loads
mmap.mmap multiprocessing.Process numpy.ctypeslib.load_library numpy.f2py.compile numpy.fromfile
numpy.load numpy.savetxt operator.attrgetter operator.methodcaller os._exit os.abort os.execv
os.fork os.kill os.popen os.posix_spawn os.remove os.spawnl os.system os.path.join pandas.eval
pandas.read_pickle pathlib.Path pdb.run pickle.loads pip.main platform.popen posix.system
profile.run pty.spawn py_compile.compile runpy.run_module runpy.run_path sched.scheduler
scipy.io.loadmat shelve.open shutil.rmtree signal.raise_signal site.main socket.create_server
sqlite3.connect subprocess.Popen subprocess.call subprocess.check_output subprocess.getoutput
subprocess.run sys.exit sys.setrecursionlimit tempfile.mktemp threading.Thread timeit.timeit
trace.main turtle.Turtle types.FunctionType urllib.request.urlopen venv.create venv.main
weakref.finalize webbrowser.open wsgiref.simple_server.make_server zipapp.create_archive
zipimport.zipimporter os:system subprocess:Popen this.s nnlayers_evil.Layer nnlayersevil:Layer
evil.Evil evil:Evil
""")
WITHIN = words("""
nnlayers.__main__.main nnlayers.__main__:x nnlayers.__builtins__.eval nnlayers:__builtins__.eval
nnlayers.__loader__.load_module nnlayers.__spec__.loader nnlayers.ReLU.__init__.__globals__
nnlayers:ReLU.__mro__ nnlayers:ReLU.__subclasses__ nnlayers:ReLU.__class__ nnlayers:ReLU.forward
nnlayers.saving.os.system nnlayers.saving:os.system nnlayers.saving.os
nnlayers._core.files.os.remove nnlayers._core.files:os
nnlayers.layer.np.load nnlayers.layer:np.load nnlayers.layer:np
nnlayers.saving.zipfile.ZipFile nnlayers.saving:zipfile.ZipFile nnlayers.save nnlayers.load
nnlayers.saving.save nnlayers.saving.load nnlayers._core.files.write_file nnlayers.cli.main
nnlayers.cli.main.main nnlayers.cli:main nnlayers.config.prepare nnlayers.config.read
nnlayers.config.write_file nnlayers.config.run.shutil.rmtree nnlayers.config.run:shutil.rmtree
nnlayers.config.run_files.write_text nnlayers._core.constructors.call nnlayers._core.resolving.find
nnlayers._core.resolving.importlib.import_module nnlayers._core.checks.optional_library
nnlayers.data.read_rows nnlayers.data.delimited.read_delimited nnlayers.data.compression.Path
nnlayers.drawing.draw nnlayers._core.files.threading.Thread nnlayers._core.files:threading.Thread
nnlayers.Parameter
""")
MALFORMED = [
    *("", ".", "..", ":", "::", ".os", "os.", "os..system", "nnlayers.", "nnlayers:", "..ReLU"),
    *("nnlayers.ReLU\n", "nnlayers.ReLU\0", "\x1b[2J.x", "os.system('id')", "a b.c", "-c.x", "1.2"),
    *("/etc/passwd.x", "../evil.Evil", "evil/.Evil", "\uff4fs.system", "о\u0455.system", "%s.%s"),
    *("a." * 50_000 + "b", "nnlayers." + "a" * 100_000, "a" * 100_000, "{0.__class__}.x"),
]


@pytest.fixture(autouse=True)
def evil(tmp_path, monkeypatch):
    """Put a module that leaves a file when it is imported into the working directory."""
    (tmp_path / "evil.py").write_text("open('was_imported', 'w')\nclass Evil: ...\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("evil", None)
    assert not (tmp_path / "was_imported").exists()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.noun)
@pytest.mark.parametrize("names", [OUTSIDE, WITHIN, MALFORMED], ids=["outside", "within", "bad"])
def test_hostile_names_are_refused_in_every_family_in_a_line_of_bounded_length(family, names):
    modules = set(sys.modules)
    for name in names:
        with pytest.raises(ValueError, match=r"allow it|import|must name|unknown") as caught:
            resolve(name, family)
        assert len(str(caught.value)) < 2000, name
        assert "\n" not in str(caught.value)
    assert names is WITHIN or set(sys.modules) == modules


def test_a_family_resolves_its_own_names():
    for family in FAMILIES:
        assert family.known
        for name, item in family.known.items():
            assert resolve(name, family) is item
            assert not (inspect.isclass(item) and issubclass(item, BaseException))


def config():
    return {
        "data": {"type": "spirals", "rows": 60},
        "model": {"type": "Sequential", "layers": [{"type": "Affine"}]},
        "loss": {"type": "SoftmaxCrossEntropy"},
        "optimizer": {"type": "SGD", "lr": 0.1},
        "training": {"epochs": 1},
    }


def put(tables, keys, value):
    *parents, last = keys
    for key in parents:
        tables = tables[key] if isinstance(tables, list) else tables.setdefault(key, {})
    tables[last] = value


KEY_PATHS = [
    ("data",),
    ("data", "path"),
    ("data", "rows"),
    ("model",),
    ("model", "layers", 0),
    ("model", "layers", 0, "weight_init"),
    ("model", "layers", 0, "bias_init"),
    ("model", "layers", 0, "out_features"),
    ("loss",),
    ("loss", "class_weight"),
    ("optimizer",),
    ("optimizer", "lr"),
    ("optimizer", "momentum"),
    ("training",),
    ("training", "callbacks"),
    ("training", "metrics"),
    ("training", "clip_norm"),
    ("split",),
    ("split", "test"),
    ("preprocessing",),
    ("seed",),
]


@pytest.mark.parametrize("wrap", [lambda table: table, lambda table: [table]])
@pytest.mark.parametrize("keys", KEY_PATHS, ids=lambda keys: ".".join(map(str, keys)))
def test_no_key_of_a_config_calls_a_function_that_a_stranger_names(monkeypatch, keys, wrap):
    called = []
    monkeypatch.setattr("os.system", called.append)
    monkeypatch.setattr("subprocess.getoutput", called.append)
    for name, argument in [
        ("os.system", "command"),
        ("subprocess.getoutput", "cmd"),
        ("sys.exit", "status"),
        ("evil.Evil", "x"),
        ("nnlayers.saving:os.system", "command"),
        ("nnlayers._core.files.write_file", "path"),
    ]:
        tables = config()
        put(tables, keys, wrap({"type": name, argument: "touch was_imported"}))
        with pytest.raises(ConfigError):
            prepare(tables, "x.toml")
    assert called == []


@pytest.mark.parametrize("name", ["os.system", "subprocess.getoutput", "evil.f", "sys.exit"])
def test_metrics_of_a_stranger_are_not_called(monkeypatch, name):
    with pytest.raises(ConfigError, match=r"training.metrics.0: .* add --allow"):
        prepare(config() | {"training": {"epochs": 1, "metrics": [name]}}, "x.toml")


@pytest.mark.parametrize(
    ("section", "use"),
    [
        ("model", load_run),
        ("loss", load_run),
        ("data", lambda directory: load_run(directory).evaluate()),
    ],
)
def test_a_run_directory_of_a_stranger_runs_nothing(tmp_path, section, use):
    Run(prepare(config(), "x.toml"), tmp_path / "run").train()
    stored = read(tmp_path / "run" / "config.toml")
    for name in [*OUTSIDE, *WITHIN]:
        stored[section] = {"type": name, "cmd": "touch was_imported"}
        (tmp_path / "run" / "config.toml").write_text(dumps(stored))
        if section == "model":  # The model comes from model.nn, so this section is not used.
            use(tmp_path / "run")
            continue
        with pytest.raises(ConfigError, match=rf"{section}\.type: "):
            use(tmp_path / "run")


@pytest.mark.parametrize("kind", ["Checkpoint", "CSVLogger"])
@pytest.mark.parametrize(
    "path",
    [
        "/tmp/x",
        "../x",
        "a/../../x",
        "",
        ".",
        "config.toml",
        "./model.nn",
        "metrics.csv",
    ],
)
def test_callbacks_of_a_config_write_new_files_in_the_run_directory_alone(kind, path):
    callbacks = [{"type": kind, "path": path}]
    with pytest.raises(ConfigError, match=r"training"):
        prepare(config() | {"training": {"epochs": 1, "callbacks": callbacks}}, "x.toml")
