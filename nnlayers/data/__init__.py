"""Data for training: sources of rows, splits, preprocessing and mini-batches.

>>> table = moons(200, seed=1)
>>> train, validation, test = split(len(table), stratify=table.target)
>>> preprocessing = Preprocessing().fit(table.rows(train), "binary")
>>> x, y = preprocessing.features(table.rows(train)), preprocessing.targets(table.rows(train))
>>> x.shape, y.shape
((140, 2), (140, 1))
"""

from nnlayers.data.batches import batches
from nnlayers.data.datasets import breast_cancer, diabetes, digits, iris, moons, spirals, wine
from nnlayers.data.files import csv, feather, from_frame, npy, npz, parquet, read_rows
from nnlayers.data.inference import Inference, infer
from nnlayers.data.preprocessing import Preprocessing, TargetKind
from nnlayers.data.problems import DataError
from nnlayers.data.profiles import ColumnProfile
from nnlayers.data.raw_rows import as_column, has_column, table_from_rows
from nnlayers.data.splitting import Split, split, split_table
from nnlayers.data.table import ColumnKind, Table

__all__ = [
    "ColumnKind",
    "ColumnProfile",
    "DataError",
    "Inference",
    "Preprocessing",
    "Split",
    "Table",
    "TargetKind",
    "as_column",
    "batches",
    "breast_cancer",
    "csv",
    "diabetes",
    "digits",
    "feather",
    "from_frame",
    "has_column",
    "infer",
    "iris",
    "moons",
    "npy",
    "npz",
    "parquet",
    "read_rows",
    "spirals",
    "split",
    "split_table",
    "table_from_rows",
    "wine",
]
