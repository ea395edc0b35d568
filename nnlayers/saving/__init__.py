"""Save and load models: architecture, weights and state in one file, without pickle."""

from nnlayers.saving.model_file import load, save

__all__ = ["load", "save"]
