"""Words and small parts that templates share."""
