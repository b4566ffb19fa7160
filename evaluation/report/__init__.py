"""Figures with intervals, and the page that shows them."""
