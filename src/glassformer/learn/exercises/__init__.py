"""A folder an exercise: `task.py` is the learner's file at the start, `solution.py` what it may become."""
