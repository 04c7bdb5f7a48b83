"""Speed beside other people's, and cost as work grows; each file says how it is run."""
