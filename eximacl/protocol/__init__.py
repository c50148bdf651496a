"""How a front-end's bytes become a query, and a decision bytes again. One file a protocol."""
