"""Tests: the same tree as the code, the toy world, the benchmarks."""
