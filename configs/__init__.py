"""Typed settings and their values."""
