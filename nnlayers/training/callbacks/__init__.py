"""Callbacks: code that runs at the start and the end of a fit, of an epoch and of a step."""

from nnlayers.training.callbacks.base import Callback, LambdaCallback
from nnlayers.training.callbacks.checkpoint import Checkpoint
from nnlayers.training.callbacks.csv_logger import CSVLogger
from nnlayers.training.callbacks.early_stopping import EarlyStopping
from nnlayers.training.callbacks.recorder import Recorder
from nnlayers.training.callbacks.reduce_on_plateau import ReduceOnPlateau
from nnlayers.training.callbacks.tensorboard import TensorBoard

__all__ = [
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "LambdaCallback",
    "Recorder",
    "ReduceOnPlateau",
    "TensorBoard",
]
