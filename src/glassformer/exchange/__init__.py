"""Other people's formats, in and out: each number equal to theirs, and what a format cannot hold is refused."""
