"""What ``seed_demo`` loads: four programs to try things on.

Everything is made by the verbs that people use: a manager drafts, a reviewer
approves, points are posted. Dates lie in the past because the verbs take them.
"""
