"""Learn by doing: exercises whose checker names the mistake, models with a planted fault, confusions to run."""
