"""Asks viewers what pictures show: rounds of pictures with decoys, labels of answers, and their tally."""
