"""The verbs of the tool, one file each: read the command line, call one function, say what happened."""
