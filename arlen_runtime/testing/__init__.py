"""Tools for tests of applications, and of Arlen itself."""
