"""Commands and code of the README run and give the results shown."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import nnlayers as nn

README = Path(__file__).parents[1] / "README.md"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)


def test_the_quick_start_holds_two_commands_of_one_line():
    main_job, tests = blocks("bash")
    assert main_job == (
        'python -m pip install -e ".[cli,sklearn]" && nnlayers train configs/digits.toml\n'
    )
    assert tests == 'python -m pip install -e ".[test]" && python -m pytest -n auto\n'


def test_its_code_runs_and_learns(capsys):
    (code,) = blocks("python")
    exec(code, {"__name__": "readme"})
    measured = eval(capsys.readouterr().out)
    assert measured["accuracy"] > 0.95


def test_its_code_can_be_pasted_into_a_prompt():
    (code,) = blocks("python")
    prompt = [sys.executable, "-i", "-q"]
    run = subprocess.run(prompt, input=code, capture_output=True, text=True, check=True)
    assert "Error" not in run.stderr
    assert eval(run.stdout)["accuracy"] > 0.95


def test_the_graph_gives_the_numbers_and_the_picture_shown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (session,) = blocks("pycon")
    test = doctest.DocTestParser().get_doctest(session, {"nn": nn}, "README", str(README), 0)
    assert doctest.DocTestRunner().run(test).failed == 0
    shown = README.parent / "docs" / "images" / "sigmoid.svg"
    assert (tmp_path / "sigmoid.svg").read_text() == shown.read_text()
