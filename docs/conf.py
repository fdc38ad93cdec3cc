"""Sphinx configuration."""

project = "pyhades"
author = "The pyhades authors"
copyright = "The pyhades authors"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
napoleon_use_ivar = True  # attributes that are properties too would be listed twice
html_theme = "furo"
exclude_patterns = ["_build"]
autodoc_typehints = "none"  # docstrings say dtypes and shapes, which types do not
nb_execution_mode = "off"  # tests/docs runs it; the page shows the outputs that are stored
myst_enable_extensions = ["colon_fence", "dollarmath"]
nitpicky = True
# Types in plain words, and those of other packages, whose pages an offline build cannot reach.
nitpick_ignore_regex = [
    ("py:class", r"(numpy|PIL|pathlib|collections)\..*|ndarray|Path|Mapping"),
    ("py:class", "Config|Graph|Implementation|ModelWeights|PackedWeight|QuantizedTensor"),
]
