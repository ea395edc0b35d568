"""Whatever comes as an argument is right, or refused in one line that names the argument.

Each argument of each public constructor, function and method gets each value of `HOSTILE` in turn,
beside valid other arguments. Names are taken from the packages' ``__all__``, so that a new one is
tested as soon as it exists; `hostile_cases` says so if it has no valid value for an argument.
"""

import warnings

import pytest
from hostile_cases import cases, write_files
from hostile_objects import estimator_cases, run_cases, uncertainty_cases, write_run
from hostile_values import HOSTILE

CASES = cases() | estimator_cases() | run_cases() | uncertainty_cases()
LONGEST = 503

# What errors call an argument, where it is not its name.
OTHER_NAMES = {
    "X": ["x "],
    "activation": ["activation"],
    "bias_init": ["initializer"],
    "classes": ["rows"],
    "column": ["unknown column"],
    "columns": ["column ", "kind"],
    "config": ["argument"],
    "epsilon": ["eps"],
    "features": ["unknown array"],
    "frame": ["rows"],
    "group": ["unknown column"],
    "inputs": ["input ", "x "],
    "hidden_layer_sizes": ["out_features"],
    "input_shape": ["unknown input"],
    "layers": ["layer "],
    "low": ["high"],
    "metrics": ["unknown metric"],
    "model_or_run": ["model"],
    "prediction": ["target"],
    "r_init": ["initializer"],
    "resume": ["archive"],
    "rows": ["path"],
    "s_init": ["initializer"],
    "sizes": ["features"],
    "state": ["state"],
    "table": ["frame", "path"],
    "target": ["unknown column", "unknown array", "column 'class'"],
    "time": ["unknown column"],
    "value": ["grad", "trainable", "lr_scale", "decay"],
    "values": ["column "],
    "weight_init": ["initializer"],
    "weights": ["unknown column", "unknown array"],
    "wrt": ["unknown input or parameter"],
    "x": ["prediction", "keywords"],
    "y": ["target"],
}
# An epoch more than any memory holds is a valid number of epochs, of which none would be the last.
ENDLESS = {"epochs"}
# What these return or raise is the user's own.
CALLED = {
    *("activation", "bias_init", "initializer", "learning_rate", "make_layer", "make_model"),
    *("norm", "normalization", "r_init", "s_init", "solver", "weight_init"),
}
ARE_FILES = {"directory", "path", "resume", "rows", "table", "target", "weights"}


def hostile_values(argument):
    for name, value in HOSTILE.items():
        is_endless = argument in ENDLESS and isinstance(value, int) and value > 1
        if not (is_endless or (argument in CALLED and callable(value))):
            yield name, value


# The checks of layers fail with errors of their own for inputs without a derivative.
CHECKS = {("testing.check_gradients", "inputs"), ("testing.check_layer", "inputs")}


def problem_of(case, argument, value):
    """Return what is wrong with the result of a call, None if nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, of numbers that overflow
        try:
            case.call(**{argument: value})
        except (TypeError, ValueError) as error:
            is_named = argument not in case.foreign
            return problem_of_message(str(error), argument, value, is_named)
        except OSError as error:
            return None if argument in ARE_FILES else repr(error)
        except Exception as error:
            return repr(error)[:200]
    return None


def problem_of_message(message, argument, value, is_named):
    names = [argument, *OTHER_NAMES.get(argument, []), "Exceeds the limit"]
    if argument in ARE_FILES and isinstance(value, str):
        names.append(value.partition("\n")[0])  # A message about a file begins with its name.
    if "\n" in message:
        return f"more than one line: {message!r:.200}"
    if len(message) > LONGEST:
        return f"a message of {len(message)} characters: {message[:200]}"
    if is_named and not any(name in message for name in names):
        return f"no name in {message!r:.200}"
    return None


@pytest.fixture(autouse=True, scope="module")
def files(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("files"))
        write_files()
        write_run()
        yield


@pytest.mark.parametrize("name", CASES)
def test_any_argument_is_right_or_refused_in_one_line_that_names_it(name):
    case = CASES[name]
    assert not case.missing(), "VALID in tests/hostile_cases.py needs a value for these"
    case.call()
    problems = {
        (parameter.name, value_name): problem_of(case, parameter.name, value)
        for parameter in case.arguments()
        for value_name, value in hostile_values(parameter.name)
        if (name, parameter.name) not in CHECKS
    }
    assert not {key: problem for key, problem in problems.items() if problem}
