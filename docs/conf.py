"""Sphinx configuration."""

import re
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from matplotlib import rc_params_from_file
from sphinx.addnodes import pending_xref

import nnlayers

here = Path(__file__).parent
sys.path[:0] = [str(here), str(here.parent / "examples")]  # for plots.py, and what it measures

project = "nnlayers"
author = project_copyright = "The nnlayers developers"
version = release = nnlayers.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "matplotlib.sphinxext.plot_directive",
    "sphinx_copybutton",
    "sphinx_external_toc",
    "notebook_pages",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
external_toc_path = import_module("site_map").write(here / "_build" / "site_map.yml")
html_theme = "furo"
html_title = f"nnlayers {release}"
html_css_files, html_js_files = ["docs.css"], ["docs.js"]
# Formulas are drawn by MathJax as SVG, by one script that needs no font and no network.
mathjax = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
mathjax_path = "tex-svg.js"
html_static_path = ["_static", "images/film-dark.png", str(mathjax / mathjax_path)]
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
exclude_patterns = ["_build", "package_index.md"]
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
plot_rcparams = dict(rc_params_from_file(here / "pictures.mplstyle", use_default_template=False))
plot_html_show_formats = False
plot_html_show_source_link = False


def write_page(app):
    """Write the page that the first page of the documentation shows."""
    from pictures import run_examples

    run_examples("index.md")["graph"].to_html(Path(app.outdir, "sigmoid.html"))


def keep_underscores(app, what, name, item, options, lines):
    """Keep the underscore of an attribute's name, which reStructuredText takes for a link."""
    lines[:] = [re.sub(r"^(:(ivar|vartype) \w+)_:", r"\1\_:", line) for line in lines]


def unlink_words(app, doctree):
    """Leave words of a type without a link, such as "rows", which is an attribute somewhere."""
    for link in list(doctree.findall(pending_xref)):
        if link.get("reftype") == "class" and re.fullmatch("[a-z]+", link["reftarget"]):
            link.replace_self(link.children)


def setup(app):
    """Connect what happens during a build."""
    app.connect("builder-inited", write_page)
    app.connect("autodoc-process-docstring", keep_underscores, priority=900)
    app.connect("doctree-read", unlink_words)
