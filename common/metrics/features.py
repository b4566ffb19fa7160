"""Metrics of generated images: statistics of features and pixels, in float64.

Features are rows [N, d] of finite numbers; two sets share d. The order of rows does not matter. Distances are
Euclidean and computed in blocks of at most `BLOCK` numbers (64 MB). Wrong shapes, numbers that are not finite and
too few rows raise ValueError.
"""

import numpy as np

BLOCK = 2**23  # entries of a distance or kernel matrix in memory at a time
ROWS = 1024  # of queries and of the reference that `nearest_neighbours` compares, in float64, at a time
ROUNDING = 1e-12  # squared distances are equal within this share of the largest squared norm

# Two sets of features


def frechet_distance(first, second):
    """Frechet distance of Gaussians fitted to features, as in FID (Heusel et al. 2017, arXiv 1706.08500, eq. 6).

    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), with unbiased sample covariances. For S1 = A^T A and S2 = B^T B
    the nonzero eigenvalues of S1 S2 are those of the symmetric product (A B^T)(A B^T)^T. So the trace of the root
    is the sum of the singular values of A B^T, which is real, and exact to rounding even for N < d.

    Args:
        first, second: features [N, d] and [M, d], N and M >= 2.

    Returns:
        A float >= 0 up to rounding. It is biased upwards for few rows, so compare only equal N and M.
    """
    first, second = _pair(first, second, 2, 2)
    shift = first.mean(axis=0) - second.mean(axis=0)
    a, b = _covariance_root(first), _covariance_root(second)
    root_trace = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(shift @ shift + np.sum(a**2) + np.sum(b**2) - 2 * root_trace)


def _covariance_root(rows):
    """Returns A [min(N, d), d] with A^T A the unbiased covariance; the squares in A sum to its trace."""
    return np.linalg.qr((rows - rows.mean(axis=0)) / np.sqrt(len(rows) - 1), mode="r")


def kernel_distance(first, second):
    """Unbiased squared MMD with the kernel (x.y / d + 1)^3: KID (Binkowski et al. 2018, arXiv 1801.01401).

    It is a U-statistic over all rows, not a mean over subsets. Its expectation does not depend on N and M.

    Args:
        first, second: features [N, d] and [M, d], N and M >= 2.

    Returns:
        A float. For two samples of one distribution its expectation is 0, so it is often slightly negative.
    """
    first, second = _pair(first, second, 2, 2)
    n, m = len(first), len(second)
    within = (_off_diagonal_kernel_sum(rows) / (len(rows) * (len(rows) - 1)) for rows in (first, second))
    return float(sum(within) - 2 * _kernel_sum(first, second) / (n * m))


def _off_diagonal_kernel_sum(rows):
    return _kernel_sum(rows, rows) - np.sum((np.mean(rows**2, axis=1) + 1) ** 3)


def _kernel_sum(first, second):
    total = 0.0
    for rows in _blocks(len(first), len(second)):
        kernel = first[rows] @ second.T / first.shape[1] + 1
        total += np.sum(kernel * kernel * kernel)  # much faster than a power
    return total


def precision_recall(real, fake, neighbours=3):
    """Improved precision and recall (Kynkaanniemi et al. 2019, arXiv 1904.06991, eq. 1 and 2).

    Each row of a set has a closed ball whose radius is the distance to its k-th nearest other row of the set.

    Args:
        real, fake: features [N, d] and [M, d], N and M > neighbours.
        neighbours: k, >= 1.

    Returns:
        (precision, recall), floats in [0, 1]: the share of fakes in a real ball, and of reals in a fake ball.
    """
    real, fake = _pair(real, fake, neighbours + 1, neighbours + 1)
    _, real_balls = _memberships(real, fake, neighbours, closed=True)
    _, fake_balls = _memberships(fake, real, neighbours, closed=True)
    return float(np.mean(real_balls > 0)), float(np.mean(fake_balls > 0))


def density_coverage(real, fake, neighbours=5):
    """Density and coverage (Naeem et al. 2020, arXiv 2002.09797, section 3).

    Balls are open, as in the authors' code, so a set compared with itself has density 1. Two large samples of
    equal size from one distribution have an expected density of 1 and an expected coverage of 1 - 2^-k.

    Args:
        real, fake: features [N, d] and [M, d], N > neighbours and M >= 1.
        neighbours: k, >= 1.

    Returns:
        (density, coverage), floats: the mean number of real balls that contain a fake, divided by k (it can exceed
        1), and the share of real balls, in [0, 1], that contain a fake.
    """
    real, fake = _pair(real, fake, neighbours + 1, 1)
    fakes_inside, real_balls = _memberships(real, fake, neighbours, closed=False)
    return float(np.mean(real_balls) / neighbours), float(np.mean(fakes_inside > 0))


def _memberships(centres, points, neighbours, closed):
    """Returns the number of points in each ball, [N], and of balls around each point, [M].

    The radius of ball i is the distance from centre i to its `neighbours`-th nearest other centre. Points at that
    distance, within `ROUNDING`, are inside if the balls are `closed`.
    """
    if neighbours < 1:
        raise ValueError(f"neighbours must be at least 1. Received: {neighbours}")
    mean = centres.mean(axis=0)  # smaller norms have smaller rounding errors
    centres, points = centres - mean, points - mean
    slack = (1 if closed else -1) * ROUNDING * np.max(np.sum(centres**2, axis=1))
    points_inside, balls_around = np.zeros(len(centres), int), np.zeros(len(points), int)
    for rows in _blocks(len(centres), max(len(centres), len(points))):
        to_centres = _squared_distances(centres[rows], centres)
        squared_radii = np.partition(to_centres, neighbours, axis=1)[:, neighbours]  # index 0 is the row itself
        inside = _squared_distances(centres[rows], points) <= squared_radii[:, None] + slack
        points_inside[rows] = inside.sum(axis=1)
        balls_around += inside.sum(axis=0)
    return points_inside, balls_around


# Distances


def nearest_neighbours(queries, reference):
    """Finds the nearest row of the reference to each query, by brute force.

    Rows are compared by |x|^2 + |y|^2 - 2 x.y, which cannot distinguish rows of the reference that are within
    about 1e-7 of their norm; of such rows any can be returned. The distance is then computed from the difference,
    so an exact copy has distance 0, unless another row is that close.

    Args:
        queries: rows [N, d], N >= 1.
        reference: rows [M, d], M >= 1.

    Returns:
        (indices int [N], Euclidean distances float64 [N]).
    """
    queries, reference = _pair(queries, reference, 1, 1, dtype=None)
    starts = range(0, len(queries), ROWS)
    parts = [_nearest_of_block(queries[start : start + ROWS], reference) for start in starts]
    indices, distances = zip(*parts, strict=True)
    return np.concatenate(indices), np.concatenate(distances)


def _nearest_of_block(queries, reference):
    queries = queries.astype(np.float64)
    indices, least = np.zeros(len(queries), int), np.full(len(queries), np.inf)
    for start in range(0, len(reference), ROWS):
        squares = _squared_distances(queries, reference[start : start + ROWS].astype(np.float64))
        best = squares.argmin(axis=1)
        squares = squares[np.arange(len(queries)), best]
        indices, least = np.where(squares < least, best + start, indices), np.minimum(squares, least)
    return indices, np.linalg.norm(queries - reference[indices], axis=1)


def diversity(features):
    """Mean Euclidean distance between two different rows of features [N, d], N >= 2. Not from a paper.

    It is 0 up to rounding if all rows are equal. The distance of two equal rows among others can be up to about
    1e-7 of their distance to the mean.
    """
    features, total = check_rows(features, 2), 0.0
    features, count = features - features.mean(axis=0), len(features)
    for rows in _blocks(count, count):
        squares = _squared_distances(features[rows], features)
        np.fill_diagonal(squares[:, rows], 0)  # the distance of a row to itself has no rounding error
        total += np.sqrt(squares).sum()
    return float(total / (count * (count - 1)))


def _squared_distances(first, second):
    squares = first @ second.T
    squares *= -2
    squares += np.sum(first**2, axis=1)[:, None]
    squares += np.sum(second**2, axis=1)
    return np.maximum(squares, 0, out=squares)  # cancellation can leave small negative numbers


# Pixels


def high_frequency_energy(images):
    """Mean square of what a 3x3 box blur removes from each image. Not from a paper.

    It is taken of the grey image (the mean over colours), on the (H - 2)(W - 2) pixels where the box fits.

    Args:
        images: floats [N, H, W, C] in [-1, 1] (slightly outside is accepted), N >= 1, H and W >= 3.

    Returns:
        float64 [N], >= 0.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype.kind != "f" or not images.size or min(images.shape[1:3]) < 3:
        raise ValueError(
            "images must be floats [N, H, W, C] with N >= 1, H and W >= 3. "
            f"Received: {images.dtype} {images.shape}"
        )
    grey = _finite(images).mean(axis=3, dtype=np.float64)
    rows = grey[:, :-2] + grey[:, 1:-1] + grey[:, 2:]
    box = (rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / 9
    return np.mean((grey[:, 1:-1, 1:-1] - box) ** 2, axis=(1, 2))


# Checks


def _blocks(count, width):
    """Splits `count` rows of `width` numbers into slices of at most `BLOCK` numbers, but at least one row."""
    step = max(1, BLOCK // width)
    return [slice(start, start + step) for start in range(0, count, step)]


def _pair(first, second, least_first, least_second, dtype=np.float64):
    first, second = check_rows(first, least_first, dtype), check_rows(second, least_second, dtype)
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"Two sets of features must have the same width d. Received: {first.shape}, {second.shape}"
        )
    return first, second


def check_rows(array, least, dtype=np.float64):
    """Returns `array` as finite rows [N, d], N >= `least`, of `dtype`; None keeps its dtype. Raises ValueError."""
    array = np.asarray(array, dtype)
    if array.ndim != 2 or len(array) < least or not array.size:
        raise ValueError(
            f"Features must be rows [N, d] with N >= {least} and d >= 1. Received: shape {array.shape}"
        )
    return _finite(array)


def _finite(array):
    bad = array.size - np.count_nonzero(np.isfinite(array))
    if bad:
        raise ValueError(f"Numbers must be finite. Received: {bad} that are NaN or infinite")
    return array
