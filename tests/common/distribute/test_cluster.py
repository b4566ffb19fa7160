"""TF_CONFIG: who this process is among the workers, told before TensorFlow is imported."""

import json

import pytest

from common.distribute.cluster import EXAMPLE, worker_index
from common.errors import InputError

WORKERS = ["10.0.0.1:2222", "machine-2:2222", "[::1]:2223"]


def text(workers=WORKERS, index=0, job="worker", task="worker"):
    return json.dumps({"cluster": {job: workers}, "task": {"type": task, "index": index}})


def test_place(monkeypatch):
    assert [worker_index(text(index=index)) for index in range(3)] == [0, 1, 2]
    assert worker_index(EXAMPLE) == 0 and worker_index(text(WORKERS[:1])) == 0
    monkeypatch.setenv("TF_CONFIG", text(index=2))
    assert worker_index() == 2


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"cluster": {}, "task": {"type": "worker", "index": 0}}',
        text(index=3),
        text(index=-1),
        text(index=True),
        text(index="0"),
        text(job="ps"),
        text(task="evaluator"),
        text(workers=[]),
        text(workers="10.0.0.1:2222"),
        text(workers=["10.0.0.1:2222"] * 2),
        text(workers=["10.0.0.1"]),
        text(workers=["10.0.0.1:0"]),
        text(workers=[":2222"]),
        text(workers=[2222]),
        json.dumps({"cluster": {"worker": WORKERS, "chief": ["a:1"]}, "task": {"type": "worker", "index": 0}}),
    ],
)
def test_what_is_refused(wrong):
    with pytest.raises(InputError, match="^TF_CONFIG must list.*Received: .") as caught:
        worker_index(wrong)
    assert len(str(caught.value)) < 700


def test_nothing_is_nothing(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(InputError, match="Received: nothing$"):
        worker_index()
