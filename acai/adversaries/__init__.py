"""What may stand beside the autoencoder: the paper's critic, and losses of other papers."""
