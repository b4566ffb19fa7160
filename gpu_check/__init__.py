"""Checks of everything that only a GPU can tell: `make check-gpu`, or `python -m gpu_check`."""
