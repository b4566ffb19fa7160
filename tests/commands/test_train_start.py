"""train.main before and beside its steps: --check, what a training says, and refusals that leave no run folder."""

import pytest

pytest.importorskip("tensorflow")
import train  # noqa: E402
from common import release  # noqa: E402
from common.errors import InputError  # noqa: E402
from configs import acai, classifier, gan  # noqa: E402
from tests.support.folders import save_noise  # noqa: E402
from tests.support.running_commands import TrainFlags  # noqa: E402

TINY = {
    "model.depth": 2,
    "model.critic_depth": 2,
    "model.generator_channels": 2,
    "model.discriminator_channels": 2,
    "model.channels": (2, 2, 2),
    "train.batch_size": 4,
    "train.total_kimg": 0.04,
    "train.jit_compile": "off",
    "train.precision": "float32",
    "train.bank_per_class": (3, 1),
}


@pytest.fixture
def run_main(tmp_path, monkeypatch):
    """Function (config, check) that runs train.main on images of zebras and gnus in tmp_path / "images"."""

    def run(config, check=False, workdir=tmp_path / "runs" / "a"):
        config.data.source, config.data.image_folder = "folder", str(tmp_path / "images")
        for name, value in TINY.items():
            section, field = name.split(".")
            if field in config[section]:
                config[section][field] = value
        flags = TrainFlags(config.lock(), workdir and str(workdir), check=check)
        monkeypatch.setattr(train, "FLAGS", flags)
        train.main()

    return run


@pytest.mark.parametrize(
    ("module", "variant"),
    [
        (acai, "folder"),
        pytest.param(gan, "sngan", marks=pytest.mark.slow),
        pytest.param(classifier, "referee", marks=pytest.mark.slow),
    ],
)
def test_check_says_what_a_training_takes_and_leaves_nothing(run_main, tmp_path, capsys, module, variant):
    save_noise(tmp_path / "images", zebra=20, gnu=10)
    for workdir in (None, tmp_path / "runs" / "a"):
        run_main(module.get_config(variant), check=True, workdir=workdir)
        text = capsys.readouterr().out
        assert text.startswith("checking configs/of_a_test.py; nothing is kept\n")
        for part in ("27 in 2 classes (gnu 9, zebra 18); 3 others", "10 steps of 4", "GiB", "minutes", "images/s"):
            assert part in text
        assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_a_training_says_what_it_does_and_its_release_what_was_done(run_main, tmp_path, capsys):
    save_noise(tmp_path / "images", zebra=20, gnu=10)
    run_main(acai.get_config("folder"))
    out, err = capsys.readouterr()
    assert out == ""
    said = (
        err.index("training configs/of_a_test.py"),
        err.index("27 in 2 classes"),
        err.index("0.0/0 kimg"),
        err.index("finished: "),
    )
    assert list(said) == sorted(said)
    config = release.read_config(tmp_path / "runs" / "a" / "release")
    assert config["trained_kimg"] == 0.04 and config["data"]["classes"] == ["gnu", "zebra"]
    assert (config["data"]["first"], config["data"]["second"]) == ("gnu", "zebra")
    assert config["data"]["groups"] == [["gnu"], ["zebra"]]
    run_main(acai.get_config("folder"), check=True)
    assert "finished at 0.0 kimg" in capsys.readouterr().out


@pytest.mark.parametrize("counts", [{"zebra": 20, "gnu": 5}, {"zebra": 20, "gnu": 0}])
def test_images_that_are_refused_leave_no_run_folder(run_main, tmp_path, counts):
    save_noise(tmp_path / "images", **counts)
    with pytest.raises(InputError, match="gnu"):
        run_main(acai.get_config("folder"))
    assert [path.name for path in tmp_path.iterdir()] == ["images"]
