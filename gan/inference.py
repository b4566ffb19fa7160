"""A released GAN: its generator with its weights, numpy arrays in and out."""

import keras
import numpy as np

from common.variables import restore, variables_by_name
from gan import networks


class ReleasedGAN:
    """The generator of a release. Image k is a function of noise k and its class alone.

    Args:
        sizes: {"architecture", "width", "colours", "noise_size", "generator_channels", "up", "classes",
            "condition", "spherical_noise"}, as `gan.model.GAN` takes them.
        weights: {name: array} as `GAN.release_state` names them; others are ignored.
        source: what to call it in an error.
        batch_size: of every pass, filled up: the last bits of an image vary with the size of its batch.

    Raises:
        common.errors.InputError: when the weights are of other sizes.
    """

    def __init__(self, sizes, weights, source, batch_size=64):
        self.width, self.colours, self.classes = sizes["width"], sizes["colours"], sizes["classes"]
        self.noise_size, self.spherical_noise = sizes["noise_size"], sizes["spherical_noise"]
        self.batch_size = batch_size
        make_generator, _ = networks.ARCHITECTURES[sizes["architecture"]]
        self.generator = make_generator(
            *(self.width, self.noise_size, sizes["generator_channels"], self.colours),
            *(self.classes, sizes["condition"], sizes["up"]),
        )
        own = {name: value for name, value in weights.items() if name.startswith("generator/")}
        restore(variables_by_name("generator", self.generator), own, source)

    def noise(self, seed, count, start=0):
        """Noise float32 [count, noise_size] of images `start` and on; image k's is a function of (seed, k)."""
        rows = range(start, start + count)
        draws = [np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,))) for k in rows]
        noise = np.array([draw.standard_normal(self.noise_size) for draw in draws]).reshape(count, self.noise_size)
        if self.spherical_noise:
            noise /= np.sqrt(np.mean(np.square(noise), axis=1, keepdims=True))
        return noise.astype(np.float32)

    def sample(self, noise, class_weights=None):
        """Images float32 [N, width, width, colours] in [-1, 1].

        Args:
            noise: [N, noise_size].
            class_weights: labels int [N] or weights [N, classes], for a conditional generator; weights between two
                classes lie between their embeddings.

        Raises:
            ValueError: for class weights that a conditional generator lacks or another is given, or shapes that
                do not fit.
        """
        noise = np.asarray(noise, np.float32)
        if noise.ndim != 2 or noise.shape[1] != self.noise_size:
            raise ValueError(f"Noise [N, {self.noise_size}] is required. Received: {noise.shape}.")
        if (class_weights is None) != (self.classes == 0):
            wanted = f"Class weights of {self.classes} classes are" if self.classes else "No class weight is"
            raise ValueError(f"{wanted} required. Received: class_weights={class_weights!r}.")
        inputs = [noise] if class_weights is None else [noise, self._as_weights(class_weights, len(noise))]
        missing = -len(noise) % self.batch_size
        filled = [np.concatenate([part, np.zeros((missing, part.shape[1]), np.float32)]) for part in inputs]
        images = []
        for start in range(0, len(filled[0]), self.batch_size):
            batch = [part[start : start + self.batch_size] for part in filled]
            images.append(keras.ops.convert_to_numpy(self.generator(batch if self.classes else batch[0])))
        if not images:
            return np.zeros((0, self.width, self.width, self.colours), np.float32)
        return np.concatenate(images)[: len(noise)]

    def _as_weights(self, given, count):
        """Labels int [N] or weights [N, classes] -> float32 [N, classes]; ValueError for another shape."""
        given = np.asarray(given)
        labels = given.ndim == 1 and np.issubdtype(given.dtype, np.integer)
        if labels and len(given) == count and (not count or 0 <= given.min() and given.max() < self.classes):
            return np.eye(self.classes, dtype=np.float32)[given]
        if given.shape != (count, self.classes):
            raise ValueError(
                f"Labels int [{count}] from 0 to {self.classes - 1} or weights [{count}, {self.classes}] are "
                f"required. Received: {given.dtype} {given.shape}."
            )
        return given.astype(np.float32)
