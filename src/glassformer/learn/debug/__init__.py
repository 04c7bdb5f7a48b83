"""The debugging set: a system with one planted fault, of which one sees curves, scores and a probe console.

An answer is the fault's name and one expression, the probe, that is true of this system because of the fault, and of
no right one. Read `cases` first (what a learner reads; imports no torch), then `system` and `systems` (what there is to
examine), `check` (answers) and `own_test` (D10, where the learner writes the test). `make` trained the systems.
"""
