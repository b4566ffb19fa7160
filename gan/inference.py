"""Inference with a released GAN: its generator, with numpy arrays in and out."""

import keras
import numpy as np

from common import release
from common.inference import in_batches
from common.variables import restore, weights_by_name
from gan import networks


class ReleasedGAN:
    """The generator of a release. Each image depends on its noise and class only, not on the rest of its batch.

    Args:
        model_config: dict with the keys that `gan.networks.build_generator` needs and "spherical_noise".
        weights: {name: array} with the names of `gan.model.GAN.release_state`; other names are ignored.
        source: name of the release in error messages.

    Attributes:
        noise_size: numbers that make an image.
        classes: number of classes, 0 of a GAN without labels.
        class_names: tuple of str of the images that it was trained on; a label is an index into them.

    Raises:
        common.errors.InputError: if the weights do not fit the configuration.

    Examples:
        >>> from gan.inference import ReleasedGAN
        >>> model = ReleasedGAN.load("cgan")
        >>> model.class_names
        ('bird', 'horse', 'airplane', 'deer')
        >>> images = model.sample(model.draw_noise(seed=0, count=3), [1, 1, 0])  # two horses and a bird
        >>> images.shape
        (3, 32, 32, 3)
    """

    def __init__(self, model_config, weights, source):
        self.width, self.colours = model_config["width"], model_config["colours"]
        self.classes, self.noise_size = model_config["classes"], model_config["noise_size"]
        self.class_names = tuple(model_config.get("class_names", ()))
        self.spherical_noise = model_config["spherical_noise"]
        self.generator = networks.build_generator(model_config)
        generator_weights = {name: value for name, value in weights.items() if name.startswith("generator/")}
        restore(weights_by_name("generator", self.generator), generator_weights, source)

    @classmethod
    def load(cls, source):
        """Loads a bundled model by its name, such as "cgan", or the model of a run directory by its path.

        Raises:
            common.errors.InputError: if there is no such release, or it is damaged or of another family.
        """
        config, weights, *_ = release.read(release.resolve(source, "source"), "gan")
        return cls(config["model"], weights, str(source))

    def draw_noise(self, seed, count):
        """Draws the first `count` noises of a seed, float32 [count, noise_size]."""
        return self.noise_of(seed, range(count))

    def noise_of(self, seed, numbers):
        """The noises float32 [N, noise_size] of a seed and N numbers; each is a function of both."""
        generators = [np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(k),))) for k in numbers]
        noise = np.array([g.standard_normal(self.noise_size) for g in generators]).reshape(-1, self.noise_size)
        if self.spherical_noise:
            noise /= np.sqrt(np.mean(np.square(noise), axis=1, keepdims=True))
        return noise.astype(np.float32)

    def sample(self, noise, class_weights=None):
        """Generates images float32 [N, width, width, colours] in [-1, 1].

        Args:
            noise: [N, noise_size].
            class_weights: labels int [N] or weights [N, classes] of a conditional GAN, otherwise None. Weights
                between two classes interpolate between their embeddings.

        Raises:
            ValueError: for shapes that do not fit, or if class weights are missing or superfluous.
        """
        noise = np.asarray(noise, np.float32)
        if noise.ndim != 2 or noise.shape[1] != self.noise_size:
            raise ValueError(f"noise must be [N, {self.noise_size}]. Received: {noise.shape}.")
        if (class_weights is None) != (self.classes == 0):
            expected = f"be given for the {self.classes} classes" if self.classes else "be None without classes"
            raise ValueError(f"class_weights must {expected}. Received: {class_weights!r}.")
        if class_weights is None:
            return in_batches(lambda batch: keras.ops.convert_to_numpy(self.generator(batch)), noise)

        def generate(batch):
            parts = np.split(batch, [self.noise_size], axis=1)
            return keras.ops.convert_to_numpy(self.generator(parts))

        return in_batches(generate, np.concatenate([noise, self._as_weights(class_weights, len(noise))], axis=1))

    def _as_weights(self, labels_or_weights, count):
        """Converts labels int [N] or weights [N, classes] to float32 [N, classes]."""
        values = np.asarray(labels_or_weights)
        are_labels = values.shape == (count,) and np.issubdtype(values.dtype, np.integer)
        if are_labels and (not count or 0 <= values.min() and values.max() < self.classes):
            return np.eye(self.classes, dtype=np.float32)[values]
        if values.shape != (count, self.classes):
            raise ValueError(
                f"class_weights must be labels int [{count}] from 0 to {self.classes - 1} or weights "
                f"[{count}, {self.classes}]. Received: {values.dtype} {values.shape}."
            )
        return values.astype(np.float32)
