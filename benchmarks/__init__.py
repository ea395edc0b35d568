"""nnlayers beside its peers: ``python -m benchmarks step|fit|predict|import|accuracy``."""
