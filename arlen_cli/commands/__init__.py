"""The commands of the tool, one file each: parse arguments, call one function, print the result."""
