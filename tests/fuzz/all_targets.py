"""All targets by name."""

from .fit_target import Fit
from .model_targets import Model, Onnx, Safetensors
from .run_targets import Config, Resume, RunDirectory
from .state_targets import Code, State
from .table_targets import Arrow, Compressed, Draft, Npy, Npz, Text
from .targets import Target

_CLASSES = (Model, Safetensors, Onnx, Text, Draft, Compressed, Npy, Npz, Arrow)
_CLASSES += (Config, RunDirectory, Resume, State, Fit, Code)
TARGETS: dict[str, type[Target]] = {target.name: target for target in _CLASSES}
