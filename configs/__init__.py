"""One file per family; variants by argument."""
