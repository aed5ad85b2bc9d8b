"""Comparison figures: ``python -m analysis.figures sweep=latest``."""
