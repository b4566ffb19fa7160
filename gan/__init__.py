"""Generative adversarial networks: DCGAN, conditional, spectrally normalised and Wasserstein."""
