"""What is run while building: man pages, and the parts of the documentation that are taken from the code."""
