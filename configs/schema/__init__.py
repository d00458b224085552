"""Typed settings: frozen, no unknown key."""
