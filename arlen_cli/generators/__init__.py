"""From a command line to files: names and fields, a plan, what it means for the tree, and the one writer."""
