"""The checks of a diagnosis, one file for each kind of question."""
