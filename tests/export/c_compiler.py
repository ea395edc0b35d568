"""Compile C files strictly, and call their functions with and without sanitizers."""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

COMPILER = shutil.which("gcc") or shutil.which("clang") or shutil.which("cc")
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"]

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")

# Reads rows from standard input and writes the outputs of the function with the given number.
DRIVER = """
#include <stdio.h>
#include <stdlib.h>

MODELS

static const struct { void (*predict)(const float *, float *); size_t inputs, outputs; } all[] = {
    ENTRIES
};

int main(int argc, char **argv)
{
    const int k = argc > 1 ? atoi(argv[1]) : 0;
    const size_t n = all[k].inputs, m = all[k].outputs;
    /* Arrays of the very size, so that an index beyond them is an error. */
    float *x = malloc(n * sizeof *x), *y = malloc(m * sizeof *y);
    while (fread(x, sizeof *x, n, stdin) == n) {
        all[k].predict(x, y);
        fwrite(y, sizeof *y, m, stdout);
    }
    free(x);
    free(y);
    return 0;
}
"""


def compile_strictly(arguments, cwd):
    done = subprocess.run(
        [COMPILER, *STRICT, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[:3000]


def build_program(directory, names, sizes):
    """Compile the files of some models into one program with sanitizers, and return its path."""
    # As one unit they take half the time, and their names must not clash.
    models = "\n".join(f'#include "{name}.c"' for name in names)
    entries = [
        f"{{{name}_predict, {inputs}, {outputs}}}"
        for name, (inputs, outputs) in zip(names, sizes, strict=True)
    ]
    text = DRIVER.replace("MODELS", models).replace("ENTRIES", ",\n    ".join(entries))
    (directory / "driver.c").write_text(text)
    compile_strictly([*SANITIZED, "-O0", "driver.c", "-o", "driver", "-lm"], directory)
    return directory / "driver"


def run_program(path, number, x, outputs):
    """Return the outputs of a program's function for the rows of x."""
    done = subprocess.run(
        [path, str(number)],
        input=np.ascontiguousarray(x, np.float32).tobytes(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[:3000]
    return np.frombuffer(done.stdout, np.float32).reshape(len(x), outputs)


def load_library(path, *options):
    """Compile a file as a shared library, and return it."""
    # A library that is already loaded would not be loaded again from the same path.
    library = path.with_name(f"{len(list(path.parent.iterdir()))}.so")
    compile_strictly(
        ["-O2", "-fPIC", "-shared", *options, path.name, "-o", library, "-lm"], path.parent
    )
    return ctypes.CDLL(str(library))


def predict_rows(library, x, outputs, name="model"):
    """Return the outputs of a library's function for the rows of x."""
    function = getattr(library, f"{name}_predict")
    x = np.ascontiguousarray(x, np.float32)
    y = np.empty((len(x), outputs), np.float32)
    for row, result in zip(x, y, strict=True):
        function(row.ctypes.data_as(ctypes.c_void_p), result.ctypes.data_as(ctypes.c_void_p))
    return y
