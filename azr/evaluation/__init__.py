"""Measures a model on public suites: code in the sandbox, maths by math-verify.

Read items.py (the nouns), suites.py (the suites), template.py (how items are asked), graders.py
(who decides), runner.py (the loop), then estimates.py (what the figures mean).

This file imports nothing, because the maths worker is a process of its own that starts through it.
"""
