"""`azr doctor --gpu`: what this machine's GPU does with azr's kernels, learner, push and engine.

Read parts.py (what there is to measure), then supervisor.py (a process for each part),
`__main__.py` (what such a process does), and then the parts themselves. A machine
without a GPU runs the same at small sizes, so that the command itself is tested there too.
"""
