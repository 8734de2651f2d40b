"""Benchmarks. Each measures a peer in the same run, and prints ratios and medians: machines differ, ratios less so."""
