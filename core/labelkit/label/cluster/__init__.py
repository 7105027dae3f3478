"""Label on a Ray cluster: the same results in the same order as one process gives."""
