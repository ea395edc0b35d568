"""Hostile bytes are refused by documented errors of one line, soon and for little memory."""

import pytest

from .all_targets import TARGETS
from .bombs import BOMBS
from .measuring import hold

# Cases that take about half a second each; ``python -m tests.fuzz`` runs many more.
CASES = {"model": 40, "safetensors": 40, "onnx": 40, "csv": 60, "draft": 25, "config": 10}
CASES |= {"run": 12, "resume": 10, "state": 40, "fit": 25, "npy": 100, "npz": 80, "compressed": 150}
CASES |= {"arrow": 150, "code": 200}
# A busy machine may take several times as long as one that does nothing else.
PATIENCE = 20


@pytest.fixture(scope="module", params=TARGETS)
def target(request, tmp_path_factory):
    target_class = TARGETS[request.param]
    for library in target_class.needs:
        pytest.importorskip(library)
    return target_class(tmp_path_factory.mktemp(request.param))


@pytest.mark.untraced
@pytest.mark.filterwarnings("ignore")
def test_altered_inputs_are_read_or_refused_as_documented(target):
    target.warm_up()
    for number in range(CASES[target.name]):
        case = target.case(number)
        hold(lambda: target.read(case), target.errors, target.size(case), PATIENCE)  # noqa: B023


@pytest.mark.untraced
@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.filterwarnings("ignore")
def test_an_input_that_is_meant_to_be_expensive_takes_bounded_time_and_memory(name, tmp_path):
    bomb = BOMBS[name]
    target_class = TARGETS[bomb.target]
    for library in target_class.needs:
        pytest.importorskip(library)
    target = target_class(tmp_path)
    target.warm_up(1)
    case = bomb.make()
    hold(lambda: target.read(case), target.errors, bomb.size(case), PATIENCE)
