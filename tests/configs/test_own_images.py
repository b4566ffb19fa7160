"""Configs are fitted to folders of the user's own images: classes, pairs, pictures and sizes."""

import json

import pytest

from common.errors import InputError
from configs import acai, classifier, gan, own_images
from configs.check import check


def make_folder(path, **counts):
    """Makes a folder with `counts` empty files of each class; returns its path as a str."""
    for name, count in counts.items():
        (path / name).mkdir(parents=True)
        for k in range(count):
            (path / name / f"{k}.png").touch()
    return str(path)


def fitted(config, folder, workdir=None, **data):
    config.data.source, config.data.image_folder = "folder", folder
    with config.ignore_type():
        config.data.update(data)
    own_images.fit(config, workdir)
    return config


@pytest.mark.parametrize(
    ("images", "classes", "depth", "kimg", "bank"),
    [
        (0, 1, 8, 20.0, (400, 100)),
        (199, 2, 8, 20.0, (400, 100)),
        (999, 5, 8, 99.9, (400, 100)),
        (1_000, 6, 16, 100.0, (333, 83)),
        (9_999, 100, 16, 170.0, (20, 5)),
        (10_000, 3000, 32, 170.0, (1, 1)),
    ],
)
def test_sizes_follow_the_rule_in_the_config(images, classes, depth, kimg, bank):
    sizes = own_images.choose_sizes(images, classes)
    assert (sizes["model.depth"], sizes["train.bank_per_class"]) == (depth, bank)
    assert sizes["train.total_kimg"] == pytest.approx(kimg)
    assert sizes["data.pairing"] == ("across" if classes == 2 else "shuffled")


def test_folder_config_takes_sizes_classes_and_groups_from_the_folder(tmp_path):
    config = fitted(acai.get_config("folder"), make_folder(tmp_path, zebra=900, gnu=300))
    assert (config.model.depth, config.train.total_kimg, config.data.pairing) == (16, 120.0, "across")
    assert config.data.groups == (("gnu",), ("zebra",))
    assert (config.data.first, config.data.second) == ("gnu", "zebra")
    check(config.lock())


def test_fields_that_are_set_are_kept(tmp_path):
    config = acai.get_config("folder")
    config.model.depth, config.train.total_kimg = 4, 1.5
    groups = (("zebra",), ("gnu",))
    config = fitted(config, make_folder(tmp_path, zebra=20, gnu=20), groups=groups, first="zebra")
    assert (config.model.depth, config.train.total_kimg, config.data.groups) == (4, 1.5, groups)
    assert (config.data.first, config.data.second) == ("zebra", "gnu")


def test_a_resumed_run_keeps_its_sizes_when_images_join(tmp_path):
    folder, run = make_folder(tmp_path / "images", zebra=20), tmp_path / "run"
    config = fitted(acai.get_config("folder"), folder, run)
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.json").write_text(json.dumps(config.to_dict()))
    make_folder(tmp_path / "images", gnu=1500)
    assert fitted(acai.get_config("folder"), folder, run).model.depth == 16  # it has no checkpoint yet
    (run / "checkpoints" / "000000010-0123456789abcdef.npz").touch()
    again = fitted(acai.get_config("folder"), folder, run)
    assert (again.model.depth, again.train.total_kimg, again.data.pairing) == (8, 20.0, "shuffled")
    (run / "config.json").write_text("{")  # RunDirectory refuses it with a message of its own
    assert fitted(acai.get_config("folder"), folder, run).model.depth == 16


@pytest.mark.parametrize("variant", ["paper", "pegasus"])
def test_two_classes_are_the_default_groups_of_pairs_across(tmp_path, variant):
    folder = make_folder(tmp_path, pony=10, bird=10)
    config = fitted(acai.get_config(variant), folder, pairing="across")
    assert config.data.groups == (("bird",), ("pony",))
    assert (config.data.first, config.data.second) == ("pony", "bird")  # the default "bird" is one of the folder's


@pytest.mark.parametrize(
    ("classes", "data", "parts"),
    [
        ("abc", {"pairing": "across"}, ["--config.data.groups", "a, b, c", "\"(('a',),('b','c',))\"", "deer"]),
        ("ab", {"pairing": "across", "groups": (("a",), ("d",))}, ["--config.data.groups", "a, b", "'d'"]),
        ("a", {"pairing": "across"}, ["--config.data.groups", "pairing=shuffled"]),
        ("ab", {"first": "d"}, ["--config.data.first", "a, b", "'d'"]),
        ("ab", {"second": "d"}, ["--config.data.second", "a, b", "'d'"]),
    ],
)
def test_classes_that_do_not_fit_name_the_flag(tmp_path, classes, data, parts):
    folder = make_folder(tmp_path, **dict.fromkeys(classes, 10))
    with pytest.raises(InputError) as error:
        fitted(acai.get_config(), folder, **data)
    assert all(part in str(error.value) for part in parts), error.value


def test_one_class_is_first_and_second(tmp_path):
    config = fitted(gan.get_config("cgan"), make_folder(tmp_path, gnu=10))
    assert (config.data.first, config.data.second) == ("gnu", "gnu")


def test_other_configs_and_sources_stay_as_they_are(tmp_path):
    folder = make_folder(tmp_path, gnu=10, zebra=10)
    config = fitted(classifier.get_config(), folder)
    expected = classifier.get_config()
    expected.data.source, expected.data.image_folder = "folder", folder
    assert config == expected
    for variant in ("paper", "pegasus", "lines"):
        config = acai.get_config(variant)
        own_images.fit(config)
        assert config == acai.get_config(variant)


@pytest.mark.parametrize("folder", ["", "lost"])
def test_a_missing_folder_is_refused_by_its_flag(folder):
    config = fitted(acai.get_config("folder"), folder)
    with pytest.raises(InputError, match="--config.data.image_folder must be a folder"):
        check(config.lock())
