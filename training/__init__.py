"""From a config to a model, its batches and what its training shows: one file a family, the same functions."""
