"""Fuzzers of whatever takes bytes from a pool: the same targets under hypothesis and under atheris."""
