"""A report that a person would read: ``python -m analysis.report sweep=latest``.

Words and one page around the figures. It needs no network, for everything it shows is in it, and says of every number
which condition it is of.
"""
