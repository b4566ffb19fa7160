"""The search for blends of any two classes, with masks."""
