"""What each logged metric means, in TensorBoard beside its curve.

A metric that a model or a family newly logs needs a line here.
"""

DESCRIPTIONS = {
    # every training
    "images_per_second": "Speed of the steps, without measurements and pictures.",
    "learning_rate": "Of the autoencoder, the generator or the classifier.",
    "loss_scale": "Factor that keeps float16 gradients from vanishing; 1: none is needed.",
    # ACAI
    "reconstruction_loss": "Mean squared error of reconstructions of training images in [-1, 1]; lower is better. "
    "With the bottleneck vae: cross-entropy.",
    "autoencoder_loss": "Sum of all terms that train the autoencoder.",
    "classifier_loss": "Cross-entropy of the linear classifier that reads the class from the latents.",
    "classifier_accuracy": "Share of training images whose class this linear classifier reads from the latents.",
    "critic_loss": "Squared error of the critic's estimates of the mix. 0.052 is guessing.",
    "critic_error_ratio": "critic_loss divided by that of the best constant guess. 1 is guessing: to the critic, "
    "blends look like reconstructions. Near 0 it recognises every blend.",
    "mix_regulariser": "Mean squared estimate of the critic for blends, times its weight; trains the autoencoder.",
    "adversarial_loss": "Loss of the autoencoder against the patch discriminator, times its weight.",
    "code_regulariser": "Term of the bottleneck in the autoencoder's loss: divergence, commitment or adversary.",
    "code_discriminator_loss": "Loss of the AAE's discriminator of latents. 2 log 2 = 1.39 is guessing.",
    "codebook_loss": "Squared distance of latents from the vectors of the VQ-VAE's codebook. With the bottleneck "
    "projected_vqvae: a function of its averages without a meaning of its own.",
    "holdout_reconstruction_loss": "Mean squared error of reconstructions of held-out images; lower is better.",
    "blend_sharpness": "Energy of fine detail in blends of held-out images relative to real ones. 1: as sharp.",
    "blend_recognisability_referee": "How clearly the referee sees both classes in a blend, from 0 to 0.5, where "
    "0.5 is both equally.",
    "blend_recognisability_classifier": "The same by the bundled classifier.",
    "blend_kd_classifier": "Kernel distance of blends from real images, in the bundled classifier's features; "
    "lower is better.",
    "lines_mean_distance": "Distance of interpolated lines from the nearest real line; the paper's metric, lower "
    "is better.",
    "lines_smoothness": "How evenly lines turn along an interpolation, for pairs whose lines turn; 0 is best.",
    "lines_smoothness_official": "The same in the paper's form: lines that do not turn count as 0.",
    # GANs
    "discriminator_loss": "Loss of the discriminator or critic; it says little about the pictures.",
    "generator_loss": "Loss of the generator; it says little about the pictures.",
    "gradient_penalty": "Penalty on the discriminator's gradients, before its weight.",
    "diversity": "Standard deviation of a pixel over the fakes of a batch. 0: all are the same.",
    "real_accuracy": "Share of real images that the discriminator takes for real. 1 with fake_accuracy 1: the "
    "generator learns nothing.",
    "fake_accuracy": "Share of fakes that the discriminator takes for fakes.",
    "sample_diversity": "Standard deviation of a pixel over 1,000 samples, relative to held-out images. Far "
    "below 1: the generator has collapsed.",
    "sample_kd_classifier_1k": "Kernel distance of 1,000 samples from held-out images, in the bundled "
    "classifier's features; lower is better.",
    # classifiers
    "classification_loss": "Cross-entropy on augmented training images, with smoothed labels.",
    "accuracy": "Share of augmented training images that are classified correctly.",
    "holdout_accuracy": "Share of held-out images that are classified correctly.",
    "holdout_classification_loss": "Cross-entropy on held-out images.",
    "holdout_horse_accuracy": 'Share of right answers for held-out composites to the question "is there a horse?"',
    "holdout_wings_accuracy": 'The same for the question "are there spread wings?"',
    "holdout_winged_horses_called_so": "Share of held-out composites with winged horses that are called so.",
    "holdout_others_called_winged_horse": "Share of the other held-out composites that are called winged horses.",
}
