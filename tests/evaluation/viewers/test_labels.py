"""What an answer names, by answers whose labels are given by hand."""

import pytest

from evaluation.viewers.labels import AnswerLabels, label_answer

NOTHING, HORSE, WINGS = (AnswerLabels(*labels) for labels in ((0, 0, 0), (1, 0, 0), (0, 1, 0)))
APART = AnswerLabels(True, True, False)  # a horse, and wings of another animal
WINGED_HORSE = AnswerLabels(True, True, True)
ANSWERS = {
    "": NOTHING,
    "unclear": NOTHING,
    "a bird": NOTHING,
    "a seagull in flight": NOTHING,
    "swing": NOTHING,
    "a sea horse": NOTHING,
    "horseshoe": NOTHING,
    "Horse.": HORSE,
    "two horses": HORSE,
    "a foal, or a mule": HORSE,
    "some horse-like animal": HORSE,
    "a man on horseback": HORSE,
    "a unicorn": HORSE,
    "a horse and a bird": HORSE,
    "a horse with a bird on its back": HORSE,
    "a flying horse": HORSE,
    "the horse's saddle": HORSE,
    "wings": WINGS,
    "a winged bird": WINGS,
    "a dog with wings": WINGS,
    "Pegasus": WINGED_HORSE,
    "a flock of pegasi": WINGED_HORSE,
    "like pegasus, or a deer": WINGED_HORSE,
    "a winged horse": WINGED_HORSE,
    "winged unicorn": WINGED_HORSE,
    "pony with wings": WINGED_HORSE,
    "PONIES WITH ONE WING EACH": WINGED_HORSE,
    "a horse with a rider and wings": WINGED_HORSE,
    "winged animal, maybe a zebra": WINGED_HORSE,
    "wings on a donkey": WINGED_HORSE,
    # Whose wings they are.
    "a horse and a bird with wings": APART,
    "a horse with a winged bird on it": APART,
    "a horse with a goose on its back, wings spread": APART,
    "a bird with wings and a horse's head": APART,
    "a swan, wings up, beside a horse": APART,
    "a bird or a winged horse": WINGED_HORSE,
    "a bird beside a horse with wings": WINGED_HORSE,
    "a horse with wings or a bird": WINGED_HORSE,
    "a horse with a bird's wings": WINGED_HORSE,
    "a horse’s body and bird-like wings": WINGED_HORSE,
    "horse, with the wings of a swan": WINGED_HORSE,
    "half horse, half bird, with wings": WINGED_HORSE,
    # Negations.
    "a horse without wings": HORSE,
    "a horse, no wings": HORSE,
    "A horse; it doesn't have wings": HORSE,
    "a horse that has neither wings nor a rider": HORSE,
    "a horse, no saddle or wings": HORSE,
    "wingless horse": HORSE,
    "not a horse": NOTHING,
    "isn’t a pegasus": NOTHING,
    "no horse and no wings": NOTHING,
    "wings but not a horse": WINGS,
    "not a bird but a horse with wings": WINGED_HORSE,
    "No idea. A horse with wings?": WINGED_HORSE,
    "no rider, a winged horse": WINGED_HORSE,
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_labels_by_hand(answer):
    assert label_answer(answer) == ANSWERS[answer]
