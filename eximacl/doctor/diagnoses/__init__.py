"""The diagnoses: one file each. Rule: each is a generator that looks at a `Case` and changes nothing."""
