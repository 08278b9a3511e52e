"""The site of `make docs`."""

project = "reconciler"
extensions = ["myst_parser"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "reconciler"
html_copy_source = False
html_show_sphinx = False
exclude_patterns: list[str] = []
nitpicky = True
