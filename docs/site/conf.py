"""The configuration of sphinx; docs/site/build.py makes the folder that it reads."""

import cogbench

project = "cogbench"
author = "The cogbench authors"
version = release = cogbench.__version__
extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = f"cogbench {release}"
html_show_sourcelink = False
exclude_patterns = ["extra"]
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline"]
default_role = "code"  # docstrings put names between single backticks
numpydoc_show_class_members = False
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
add_module_names = False
python_display_short_literal_types = True
highlight_language = "none"
