"""How latents are mixed in training: the paper's uniform mix, and smooth random masks."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, ndtri

from acai import losses, mixing
from acai.mixing import MaskedMix, UniformMix
from common.distribute import replicas
from tests.support.acai_models import batch, build

SEEDS = tf.constant([[3, 5], [3, 6]], tf.int64)
COUNT = 2000


def draw(mixing_kind, count=COUNT, latent_size=(8, 8), seeds=SEEDS):
    """(mix [B], shares [B, h, w]) of a batch as large as `count`, as numpy arrays."""
    mix, shares = mixing_kind.draw({"image": tf.zeros((count, 1, 1, 3))}, latent_size, seeds)
    return np.asarray(mix), np.asarray(shares)[..., 0]


def smooth(noise):
    """The Gaussian blur of a field of noise [h, w], cell by cell; values at the border have fewer neighbours."""
    field = np.zeros_like(noise)
    for y, x in np.ndindex(noise.shape):
        for i, j in np.ndindex(noise.shape):
            distance = ((y - i) / (noise.shape[0] / 6)) ** 2 + ((x - j) / (noise.shape[1] / 6)) ** 2
            field[y, x] += np.exp(-distance / 2) * noise[i, j]
    return field


@pytest.fixture(scope="module")
def masks():
    """(mix that the masks aim at, their mean shares, shares [B, 8, 8]) of masks alone."""
    mix, shares = draw(MaskedMix(1.0))
    return draw(UniformMix())[0], mix, shares


# The uniform mix


def test_uniform_mix_is_the_same_in_all_cells():
    mix, shares = draw(UniformMix())
    assert shares.shape == (COUNT, 1, 1) and np.array_equal(shares[:, 0, 0], mix)
    assert 0 <= mix.min() < 0.005 and 0.495 < mix.max() <= 0.5
    assert abs(mix.mean() - 1 / 4) < 5 / np.sqrt(48 * COUNT) and abs(mix.var() * 48 - 1) < 0.1


def test_a_model_mixes_uniformly_by_default(monkeypatch):
    """The numbers were printed by the version before masks, so its trainings are repeated to the bit."""
    drawn, mix_latents = [], losses.mix_latents
    monkeypatch.setattr(losses, "mix_latents", lambda z, shares: drawn.append(shares) or mix_latents(z, shares))
    model = build(seed=3)
    model.compile()
    model.step.assign(5)
    model.train_step(batch(0, size=4))
    expected = [0.15433377027511597, 0.0479850172996521, 0.18518519401550293, 0.19683176279067993]
    assert [tensor.shape for tensor in drawn] == [(4, 1, 1, 1)]
    np.testing.assert_array_equal(np.ravel(drawn[0]), np.float32(expected))


# Masks


@pytest.mark.parametrize("latent_size", [(4, 4), (8, 8), (3, 6), (2, 1)])
def test_masks_equal_the_plain_form(latent_size):
    """sigmoid(6 (field + q)), where the field has mean 0 and variance 1 and q is the mix's normal quantile."""
    (height, width), count = latent_size, 20
    noise = tf.random.stateless_normal((count, height * width + 1), SEEDS[1], alg="philox").numpy()
    uniform, _ = draw(UniformMix(), count)
    _, shares = draw(MaskedMix(0.5), count, latent_size)
    masked = ndtri(0.5) > noise[:, -1]
    assert 0 < masked.sum() < count and shares.shape == (count, height, width)
    for i in range(count):
        field = smooth(noise[i, :-1].reshape(height, width).astype(np.float64))
        field = (field - field.mean()) / field.std()
        expected = expit(6 * (field + ndtri(uniform[i]))) if masked[i] else np.full(latent_size, uniform[i])
        np.testing.assert_allclose(shares[i], expected, rtol=0, atol=2e-4, err_msg=str(i))


def test_mix_is_the_mean_share():
    for masked in (0.0, 0.6, 1.0):
        mix, shares = draw(MaskedMix(masked))
        np.testing.assert_allclose(mix, shares.mean((1, 2), dtype=np.float64), rtol=1e-5)
        assert shares.min() >= 0 and shares.max() <= 1 and mix.dtype == shares.dtype == np.float32


@pytest.mark.parametrize("masked", [0, 0.25, 0.6, 1])
def test_a_share_of_the_blends_has_masks(masked):
    """A binomial share, within five standard deviations; the other blends have the uniform mix."""
    _, shares = draw(MaskedMix(masked))
    varied = np.ptp(shares, (1, 2)) > 0
    assert abs(varied.mean() - masked) <= 5 * np.sqrt(masked * (1 - masked) / COUNT)
    np.testing.assert_array_equal(shares[~varied, 0, 0], draw(UniformMix())[0][~varied])


def test_masks_aim_at_the_mix(masks):
    """On average over masks of nearly one mix, and a little above: a sigmoid has longer tails than its input."""
    aims, mix, _ = masks
    for low in np.arange(0, 0.5, 0.1):
        chosen = (low <= aims) & (aims < low + 0.1)
        assert -0.005 < mix[chosen].mean() - aims[chosen].mean() < 0.03
    assert np.corrcoef(aims, mix)[0, 1] > 0.95 and np.abs(mix - aims).max() < 0.25


def test_most_cells_show_one_parent(masks, monkeypatch):
    """Else a mask would be nothing but an uneven uniform mix. A lower sharpness blurs masks."""
    _, _, shares = masks
    decided = ((shares < 0.1) | (shares > 0.9)).mean()
    monkeypatch.setattr(mixing, "SHARPNESS", 1.0)
    blurred = draw(MaskedMix(1.0))[1]
    assert decided > 0.6 > 0.4 > ((blurred < 0.1) | (blurred > 0.9)).mean()


def test_masks_are_smooth(masks):
    """Neighbours are alike, cells four apart are not, in both directions and also at the border."""
    _, _, shares = masks
    for field in (shares, shares.transpose(0, 2, 1)):
        rows = field - field.mean((1, 2), keepdims=True)

        def correlation(first, second):
            return (first * second).mean() / np.sqrt((first**2).mean() * (second**2).mean())

        assert correlation(rows[:, 1:], rows[:, :-1]) > 0.65
        assert correlation(rows[:, 0], rows[:, 1]) > 0.65
        assert correlation(rows[:, 4:], rows[:, :-4]) < 0


def test_masks_favour_no_cell(masks):
    """Each cell has the same share on average, up to border effects, and masks of one batch differ."""
    _, mix, shares = masks
    assert np.abs(shares.mean(0) - mix.mean()).max() < 0.05
    assert abs(np.corrcoef(shares[:-1].ravel(), shares[1:].ravel())[0, 1]) < 0.1


def test_draws_are_a_function_of_both_seeds():
    first, again = draw(MaskedMix(0.6)), draw(MaskedMix(0.6))
    other_mix = draw(MaskedMix(0.6), seeds=SEEDS + [[1, 0], [0, 0]])
    other_masks = draw(MaskedMix(0.6), seeds=SEEDS + [[0, 0], [1, 0]])
    for one, same, another, yet_another in zip(first, again, other_mix, other_masks, strict=True):
        np.testing.assert_array_equal(one, same)
        assert not np.allclose(one, another) and not np.allclose(one, yet_another)


@pytest.mark.parametrize("count", [2, 4])
def test_parts_of_a_batch_get_their_rows_of_the_whole_draw(count):
    whole = MaskedMix(0.6).draw({"image": tf.zeros((16, 1, 1, 3))}, (4, 4), SEEDS)

    def compare(rows):
        part = MaskedMix(0.6).draw(rows, (4, 4), SEEDS)
        for ours, all_rows in zip(part, whole, strict=True):
            np.testing.assert_allclose(ours, tf.gather(all_rows, rows["row"]), rtol=0, atol=1e-6)
        return tf.reduce_sum(part[0])

    replicas.run_in_towers(compare, count, {"image": tf.zeros((16, 1, 1, 3)), "row": tf.range(16)})


@pytest.mark.parametrize("masked", [-0.1, 1.1])
def test_constructor_names_what_is_wrong(masked):
    with pytest.raises(ValueError, match=f"must be .* Received: masked={masked}"):
        MaskedMix(masked)


def test_a_single_cell_has_no_mask():
    """Its field would be 0 / 0."""
    with pytest.raises(ValueError, match=r"several cells.*latent_size=\(1, 1\)"):
        draw(MaskedMix(0.6), 2, (1, 1))


# In a training step


def test_xla_compiles_masks():
    """XLA draws other numbers from a seed, of the same distribution."""
    images = {"image": tf.zeros((COUNT, 1, 1, 3))}
    function = tf.function(lambda seeds: MaskedMix(0.6).draw(images, (8, 8), seeds), jit_compile=True)
    mix, shares = (np.asarray(part) for part in function(SEEDS))
    assert shares.shape == (COUNT, 8, 8, 1) and 0 <= shares.min() and shares.max() <= 1
    np.testing.assert_allclose(mix, shares.mean((1, 2, 3), dtype=np.float64), rtol=1e-5)
    assert abs((np.ptp(shares, (1, 2, 3)) > 0).mean() - 0.6) < 5 * np.sqrt(0.24 / COUNT)
    assert abs(mix.mean() - draw(MaskedMix(0.6))[0].mean()) < 0.02


@pytest.mark.parametrize("compiler", ["graph", pytest.param("xla", marks=pytest.mark.slow)])
def test_a_step_mixes_with_the_masks_and_trains_the_critic_on_their_means(compiler, monkeypatch):
    """Both are those of (seed, step)."""
    keras.utils.set_random_seed(0)
    shown, mix_latents, critic_loss = [], losses.mix_latents, losses.critic_loss

    def record_shares(latents, shares):
        shown.append(shares)
        return mix_latents(latents, shares)

    def record_mix(scores, mix, others):
        shown.append(mix)
        return critic_loss(scores, mix, others)

    monkeypatch.setattr(losses, "mix_latents", record_shares)
    monkeypatch.setattr(losses, "critic_loss", record_mix)
    model = build(mixing=MaskedMix(1.0))
    model.compile()

    def step(data):
        shown.clear()
        return model.train_step(data), [*shown]

    step = tf.function(step, jit_compile=compiler == "xla", autograph=False)
    (logs, first), (_, second) = step(batch(0, size=6)), step(batch(0, size=6))
    assert np.isfinite([float(value) for value in logs.values()]).all()
    for shares, mix in (first, second):
        assert shares.shape == (6, 4, 4, 1) and np.ptp(shares, (1, 2, 3)).min() > 0
        np.testing.assert_allclose(mix, tf.reduce_mean(shares, (1, 2, 3)), rtol=1e-6)
    lowest = [np.asarray(shares).reshape(6, -1).argmin(1) for shares, _ in (first, second)]
    assert not np.array_equal(*lowest)  # other masks, not only other mixes
    model.step.assign(0)
    for ours, before in zip(step(batch(1, size=6))[1], first, strict=True):
        np.testing.assert_array_equal(ours, before)
