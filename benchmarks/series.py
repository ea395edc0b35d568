"""Run races for each number of threads, and report them."""

from dataclasses import replace

from benchmarks.picture import draw
from benchmarks.race import Starters
from benchmarks.report import Report

COLUMNS = ("race", "threads", "contender", "microseconds", "nnlayers' share")


def run_races(name, contenders, tasks, options):
    """Race the tasks, a dictionary by label, with the options of the command line."""
    contenders = {
        contender: target
        for contender, target in contenders.items()
        if options.only is None or contender in (*options.only, "nnlayers")
    }
    report = Report(name, [name, "threads", *contenders], options.output)
    rounds, seconds = (7, 0.01) if options.quick else (11, 0.02)
    races = []
    for threads in options.threads:
        with Starters(contenders, threads) as starters:
            for label, task in tasks.items():
                task = replace(task, threads=threads)
                results = starters.race(task, rounds=rounds, seconds=seconds)
                report.add([label, threads, *cells(results, contenders)])
                races.append((label, threads, results))
    report.save([COLUMNS, *rows(races)])
    draw(races, contenders, options.output / f"{name}.svg")


def cells(results, contenders):
    """Return each contender's microseconds and, in brackets, nnlayers' fraction of them."""
    by_contender = {
        result.contender: f"{three_digits(result.median * 1e6)} ({result.ratio:.2f})"
        for result in results
    }
    return [by_contender.get(contender, "") for contender in contenders]


def rows(races):
    """Yield the rows of the CSV file."""
    for label, threads, results in races:
        for result in results:
            microseconds, ratio = f"{result.median * 1e6:.2f}", f"{result.ratio:.3f}"
            yield label, threads, result.contender, microseconds, ratio


def three_digits(number):
    """Format a number with three significant digits."""
    return f"{float(f'{number:.3g}'):,g}" if number >= 1 else f"{number:.2f}"
