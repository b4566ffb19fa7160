"""Pictures between two endpoints."""

import numpy as np

from pictures.render import decode_pairs


def test_each_share_is_decoded_once():
    asked = []

    def decode_at(shares):
        asked.append(shares)
        return [np.full((2, 1, 1, 3), share) for share in shares]

    rendered = decode_pairs(decode_at, mix=0.25, strip=3)
    assert asked == [[0.0, 0.25, 0.5, 1.0]]
    assert {name: array.shape[:-3] for name, array in rendered.items()} == dict(
        parents=(2, 2), pictures=(2,), strips=(2, 3)
    )
    assert (rendered["pictures"] == 0.25).all()
    np.testing.assert_array_equal(rendered["strips"][1, :, 0, 0, 0], [0, 0.5, 1])
    np.testing.assert_array_equal(rendered["parents"][0, :, 0, 0, 0], [0, 1])
    assert set(decode_pairs(decode_at, mix=None, strip=2)) == {"parents", "strips"}
    assert set(decode_pairs(decode_at, mix=0.5, strip=0)) == {"parents", "pictures"}
