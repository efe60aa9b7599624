"""The command-line front ends that production images run."""
