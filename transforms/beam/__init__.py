"""The Beam verbs: wiring only, no rule, no threshold, no format."""
