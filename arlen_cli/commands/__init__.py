"""The commands of the tool, one file for one command; it parses arguments, calls one function and prints the result."""
