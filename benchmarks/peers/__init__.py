"""One module for each peer, and beside it the versions of its environment."""
