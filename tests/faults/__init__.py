"""Faults on purpose: worker processes that die, and how whole runs are compared before and after."""
