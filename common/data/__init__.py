"""Images: where they come from, and batches of them."""
