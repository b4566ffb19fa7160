"""Figures that are functions of arrays."""
