"""Benchmarks: ratios against a plain-Python loop or a peer in the same run; figures in RESULTS.md."""
