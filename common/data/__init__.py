"""Image datasets, and batches of their images."""
