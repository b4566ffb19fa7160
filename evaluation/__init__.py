"""The suites of evaluate.py, one file each, and their report."""
