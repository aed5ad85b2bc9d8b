"""The pictures: what is in MLflow becomes pandas frames, statistics, figures and a report.

`loading` makes the frames, `levels` gives parameters their order, `axes` decides what goes where, `statistics` sums up
by condition, `figures` draws, `report` puts it into words. What belongs here judges what was run; nothing here
launches anything, knows how runs are configured, or asks MLflow itself.
"""
