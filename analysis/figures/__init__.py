"""Comparison figures: ``python -m analysis.figures sweep=latest``, one file a figure, found by `catalog`.

A figure draws what a `View` holds; numbers come from `analysis.statistics`, never from here.
"""
