"""Measuring a model on public suites: code in the sandbox, maths by math-verify.

Read items.py (the nouns), suites.py (what there is), template.py (how it is asked), graders.py
(who decides), runner.py (the loop), then estimates.py (what the figures mean).

This file imports nothing: the maths worker is a process of its own and starts through it.
"""
