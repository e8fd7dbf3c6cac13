"""Sphinx configuration of the manual; `make docs` builds it with warnings as errors."""

from importlib.metadata import version as package_version

project = "moefetch"
author = "the moefetch authors"
copyright = author
version = release = package_version("moefetch")

extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "shootout"]

html_theme = "furo"
html_title = f"moefetch {release}"
html_theme_options = {"navigation_with_keys": True}
nitpicky = True
