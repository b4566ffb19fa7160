"""Adversarially Constrained Autoencoder Interpolation."""
