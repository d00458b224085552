"""Records, formats and rules: pure functions on plain values, neither Beam nor torch."""
