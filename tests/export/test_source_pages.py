"""Examples of the pages on source code and on serving run and give the results shown."""

import contextlib
import re
import runpy
import shlex
import subprocess

import documentation
import numpy as np
import pytest
from c_compiler import COMPILER, needs_compiler

from nnlayers.cli import main


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def blocks(page, *languages):
    """Return the blocks of a page in some languages, in order, each with its language."""
    pattern = rf"^```({'|'.join(languages)})\n(.*?)^```$"
    return re.findall(pattern, documentation.read(page), re.MULTILINE | re.DOTALL)


def check_examples(page):
    pytest.importorskip("tomli_w")
    _, report = documentation.run(page)
    assert report == ""
    assert documentation.languages(page) <= {"pycon", "c", "bash"}


def test_examples_in_python_give_the_results_shown():
    pytest.importorskip("sklearn")
    check_examples("howto/export/python.md")


def test_examples_in_c_give_the_results_shown(workplace):
    check_examples("howto/export/c.md")
    if COMPILER is None:
        pytest.skip("there is no C compiler")
    page = blocks("howto/export/c.md", "c", "bash", "pycon")
    programs = [index for index, (language, _) in enumerate(page) if language == "c"]
    assert len(programs) == 2
    for index in programs:
        (_, program), (_, command), (_, example) = page[index : index + 3]
        (workplace / "main.c").write_text(program)
        command = command.replace("cc ", f"{shlex.quote(COMPILER)} ", 1)
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
        shown = [line for line in example.splitlines() if not line.startswith((">>>", "..."))]
        assert done.stdout.splitlines() == shown


def run_commands(text):
    """Run the commands of a block."""
    for line in text.splitlines():
        program, *arguments = shlex.split(line)
        assert program == "nnlayers"
        assert main(arguments) == 0


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A directory with the run that the page on serving trains, with fewer epochs."""
    pytest.importorskip("sklearn")
    pytest.importorskip("tomli_w")
    directory = tmp_path_factory.mktemp("serving")
    (directory / "configs").symlink_to(documentation.DOCS.parent / "configs")
    first, *_ = blocks("howto/export/serving.md", "bash")
    with contextlib.chdir(directory):
        run_commands(f"{first[1].strip()} --set training.epochs=2")
    return directory


@pytest.fixture
def digits(trained, workplace):
    """The run in the working directory."""
    (workplace / "digits").symlink_to(trained / "digits")


def test_the_recipe_of_onnx_runtime_prints_labels_and_probabilities(digits, capsys):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    (_, command), (_, code) = blocks("howto/export/serving.md", "bash", "python")[1:3]
    run_commands(command)
    capsys.readouterr()
    exec(code, {})
    assert capsys.readouterr().out == "5 (5, 10)\n"


def test_the_server_of_the_recipe_answers(digits, workplace):
    pytest.importorskip("fastapi")
    testclient = pytest.importorskip("fastapi.testclient")
    (_, command), (_, code) = blocks("howto/export/serving.md", "bash", "python")[3:5]
    run_commands(command)
    (workplace / "server.py").write_text(code)
    assert len([line for line in code.splitlines() if line.strip()]) <= 11
    server = runpy.run_path("server.py")
    model = runpy.run_path("digits_model.py")
    rng = np.random.default_rng(0)
    rows = [dict.fromkeys(model["COLUMNS"], float(rng.integers(17))) for _ in range(3)]
    client = testclient.TestClient(server["app"])
    answer = client.post("/predict", json=rows)
    assert answer.status_code == 200
    assert answer.json() == {"labels": model["predict"](rows).tolist()}
    answer = client.post("/predict", json=[{"pixel_0_0": "many"}])
    assert answer.status_code == 422
    assert "is missing" in answer.json()["detail"] or "not a number" in answer.json()["detail"]


@needs_compiler
def test_the_recipe_of_a_microcontroller_compiles(digits, workplace):
    *_, (_, command) = blocks("howto/export/serving.md", "bash")
    run_commands(command)
    arguments = [COMPILER, "-std=c99", "-Os", "-Wall", "-Wextra", "-Werror", "-pedantic", "-c"]
    subprocess.run([*arguments, "digits.c"], check=True)


def test_no_code_of_the_recipes_is_left_out():
    assert documentation.languages("howto/export/serving.md") == {"bash", "python"}
    assert len(blocks("howto/export/serving.md", "bash", "python")) == 6
