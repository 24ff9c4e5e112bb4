"""Whether an answer to a maths problem is right.

This file imports nothing: the worker is a process that starts through it.
"""
