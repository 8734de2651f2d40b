"""The verbs: what people, and the sweep, do to what is kept."""
