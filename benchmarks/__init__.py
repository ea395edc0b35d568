"""Benchmarks beside other libraries: ``python -m benchmarks step|fit|many|...``."""
