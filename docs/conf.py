"""Sphinx configuration."""

import re
import sys
from pathlib import Path

here = Path(__file__).parent
sys.path[:0] = [str(here), str(here.parent / "examples")]  # for plots.py, and what it measures

project = "nnlayers"
author = "The nnlayers developers"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "matplotlib.sphinxext.plot_directive",
    "sphinx_external_toc",
    "graph_directive",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
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


def setup(app):
    """Keep the underscore of an attribute's name, which reStructuredText takes for a link."""

    def keep_underscores(app, what, name, item, options, lines):
        lines[:] = [re.sub(r"^(:(ivar|vartype) \w+)_:", r"\1\_:", line) for line in lines]

    app.connect("autodoc-process-docstring", keep_underscores, priority=900)
