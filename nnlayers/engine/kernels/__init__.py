"""Kernels of layers, losses and optimizers, one family a file."""
