"""A report that a person would read: ``python -m analysis.report sweep=latest``. Everything it shows is in one page."""
