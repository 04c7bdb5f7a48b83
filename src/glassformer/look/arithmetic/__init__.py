"""What `explain` is made of: cells, the rules of torch's operations, and the sums of one line of source."""
