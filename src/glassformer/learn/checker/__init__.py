"""The checker: what a function did on every probe, which known mistake does the same, and how to say it."""
