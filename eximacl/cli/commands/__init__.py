"""The commands, one file each. They parse options, call the library, and print."""
