"""Parents: which labelled images are used, from a data set or a bank, and what is behind them."""

import numpy as np
import pytest

from common.errors import InputError
from common.images import to_float
from pegasus import parents
from pegasus.foreground import border_foreground
from tests.pegasus.winged_horses import (
    BIRD_IDS,
    HORSE_IDS,
    MODEL,
    SKY,
    bird_mask,
    horse_mask,
    make_bank,
    make_dataset,
    paint,
)

DATASET = make_dataset()
BANK = make_bank(DATASET, [1, 2, 3, 6])  # horses 87 and 43, bird 303, and one without a label


def test_labelled_images_of_a_data_set_are_parents_and_know_their_rows_of_the_bank():
    prepared = parents.prepare_parents(MODEL, BANK, DATASET)
    assert prepared.source == "images"
    horses, birds = prepared.horses, prepared.birds
    assert [label.id for label in horses.labels] == [*HORSE_IDS[:2]] and horses.rows.tolist() == [-1, 0]
    assert [label.id for label in birds.labels] == [*BIRD_IDS] and birds.rows.tolist() == [2, -1, -1]
    np.testing.assert_array_equal(birds.images, to_float(DATASET.images[3:6]))
    for animals, mask in ((horses, horse_mask()), (birds, bird_mask())):
        assert np.mean((animals.masks > 0.5) == mask) > 0.97
        np.testing.assert_array_equal(animals.masks[0], border_foreground(animals.images[0]))
        np.testing.assert_allclose(animals.behind, [SKY] * len(animals.labels), atol=0.1)
        assert all(outline.back.min() == 7 + (animals is birds) for outline in animals.outlines)


def test_without_a_data_set_the_reconstructions_of_the_bank_are_parents():
    prepared = parents.prepare_parents(MODEL, BANK)
    assert prepared.source == "reconstructions"
    assert [label.id for label in prepared.horses.labels] == [87] and prepared.birds.rows.tolist() == [2]
    np.testing.assert_allclose(prepared.birds.images[0], to_float(DATASET.images[3]), atol=2e-3)


def test_a_bank_without_labelled_birds_is_refused():
    with pytest.raises(InputError, match="needs a labelled bird. Received: 0 labelled images"):
        parents.prepare_parents(MODEL, make_bank(DATASET, [1, 6]))


def test_frames_and_bars_are_counted():
    image = paint(horse_mask())
    assert parents.count_framed_sides(image) == 0
    framed = np.full_like(image, 0.95)
    framed[2:-2, 2:-2] = image[2:-2, 2:-2]
    assert parents.count_framed_sides(framed) == 4
    bars = image.copy()
    bars[:4] = bars[-4:] = -1
    assert parents.count_framed_sides(bars) == 2
    assert parents.is_usable(image, np.float32(horse_mask()), (0.1, 0.5))
    assert not parents.is_usable(bars, np.float32(horse_mask()), (0.1, 0.5))


@pytest.mark.parametrize(
    "mask",
    [np.zeros((32, 32)), np.ones((32, 32)), 0.8 * horse_mask(), np.pad(np.ones((20, 32)), ((0, 12), (0, 0)))],
)
def test_masks_that_can_be_no_animal_are_not_used(mask):
    """Too small, too large, nowhere sure, or along most of the border."""
    assert not parents.is_usable(paint(horse_mask()), mask, (0.1, 0.7))


def test_white_animals_are_lighter_than_the_rest_and_dark_ones_darker():
    light, mask = paint(horse_mask()), np.float32(horse_mask())
    dark = paint(horse_mask(), behind=(0.2, 0.2, 0.2), colour=(-0.6, -0.6, -0.6))
    shades = {"white": (True, False), "dark": (False, True), "mixed": (True, True), "brown": (True, True)}
    for shade, expected in shades.items():
        assert tuple(parents.fits_shade(image, mask, shade) for image in (light, dark)) == expected


def test_what_is_behind_a_horse_is_above_its_back():
    image, mask = paint(horse_mask(), noise=0), np.float32(horse_mask())
    image[22:] = 0.9  # the ground
    np.testing.assert_allclose(parents.mean_behind(image, mask, above=True), SKY, atol=1e-5)
    assert parents.mean_behind(image, mask, above=False)[0] > SKY[0] + 0.2
