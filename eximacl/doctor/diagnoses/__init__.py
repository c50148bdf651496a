"""The diagnoses, one in each file: generators that look at a `Case` and change nothing."""
