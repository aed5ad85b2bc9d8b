"""The stopwatch: how fast, beside what others would use, measured in one run on one machine.

What belongs here is a ratio and the command that measures it; a speed is never asserted in a test.
"""
