"""Sphinx configuration."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for plots.py

project = "nnlayers"
author = "The nnlayers developers"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "matplotlib.sphinxext.plot_directive",
]
html_theme = "furo"
exclude_patterns = ["_build"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_ivar = True
plot_pre_code = """
import numpy as np
import nnlayers as nn
from plots import draw_activation, draw_first_of_two, draw_loss, draw_schedules
"""
plot_formats = ["svg"]
plot_html_show_formats = False
plot_html_show_source_link = False
