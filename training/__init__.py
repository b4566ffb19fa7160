"""Trains models: the loop and run directories, and one module per model family with the same functions."""
