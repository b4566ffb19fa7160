"""The task: which horse and which bird, blended how, and which of many blends are winged horses."""
