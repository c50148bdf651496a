"""All that is written about a decision, and all that reads it again."""
