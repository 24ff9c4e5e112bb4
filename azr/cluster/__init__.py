"""Several processes on Ray, of one machine or of many: some learn, some sample, some die.

Read opening.py (what a run is given), policy.py (engines that may die), learners.py (of which none
may), push.py (how weights get from these to those and how that is proved), then actors (the other
side). Nothing else imports ray, and nothing imports this package unless `cluster.learners` asks.
"""
