"""Decides whether an answer to a maths problem is right.

This file imports nothing, because the worker is a process that starts through it.
"""
