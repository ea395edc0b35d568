"""Benchmarks beside other libraries: ``python -m benchmarks step|fit|predict|import|accuracy``."""
