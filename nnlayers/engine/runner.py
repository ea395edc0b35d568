"""The loop that runs the rows of a program, step after step."""

from __future__ import annotations

from typing import Any

from nnlayers.engine.kernel import Count, IntVector, kernel

__all__ = ["STEP", "call", "run"]

# The state of a run: the index of the step and the number of its rows, which kernels read, and the
# position of the program's row at which it stopped.
STEP, ROWS, POSITION = range(3)


def call(address: Any, row: Any, state: Any) -> int:
    """Call the compiled kernel at an address with the addresses of its row and of the state."""
    raise RuntimeError("only compiled code can call a kernel by its address")


@kernel
def run(
    program: IntVector,
    program_address: Count,
    counts: IntVector,
    state: IntVector,
    state_address: Count,
) -> int:
    """Run the program for each of `counts`, the number of rows of a step; stop where one cannot.

    Returns 0, or what the kernel returned that stopped the program.
    """
    while state[STEP] < counts.size:
        state[ROWS] = counts[state[STEP]]
        position = 0
        while position < program.size:
            status = call(program[position], program_address + 8 * position, state_address)
            if status != 0:
                state[POSITION] = position
                return status
            position += program[position + 1]
        state[STEP] += 1
    return 0
