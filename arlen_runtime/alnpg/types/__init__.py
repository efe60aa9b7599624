"""Conversion of Python values to PostgreSQL's and back."""
