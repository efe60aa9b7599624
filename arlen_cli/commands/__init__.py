"""The commands of the tool. A file parses arguments, calls one function and prints its result."""
