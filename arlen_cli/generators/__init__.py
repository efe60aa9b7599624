"""Generators: they plan files and lines, resolve the plan against the project, and write it."""
