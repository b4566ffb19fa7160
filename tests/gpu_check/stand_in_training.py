"""Logs, stops and resumes as train.py does, but for a fault: python stand_in_training.py RUN FAULT"""

import json
import signal
import sys
import time
from pathlib import Path

STEPS, LOG_EVERY, CHECKPOINT_STEP = 60, 5, 20


def main(run, fault):
    if fault == "dies":
        sys.exit("Killed by fault")
    log = run / "metrics.jsonl"
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()] if log.exists() else []
    if steps and steps[-1] == STEPS:
        print("" if fault == "is silent when finished" else "run is finished")
        return
    received = []
    signal.signal(signal.SIGTERM, lambda *_: received.append(True))
    for step in range(steps[-1] + 1 if steps else 1, STEPS + 1):
        if step == CHECKPOINT_STEP:
            (run / "checkpoints").mkdir(parents=True)
            (run / "checkpoints" / "1.npz").touch()
            wait_until(received)
        stops = received and fault != "ignores SIGTERM"
        if step % LOG_EVERY == 0 or stops:
            steps.append(step)
        if stops:
            print("stopped by SIGTERM; saved")
            break
    if fault == "logs a step twice":
        steps = [steps[0], *steps]
    log.write_text("".join(json.dumps({"step": step}) + "\n" for step in steps))


def wait_until(received):
    """Waits for the signal that the checkpoint triggers, at most a minute."""
    deadline = time.monotonic() + 60
    while not received and time.monotonic() < deadline:
        time.sleep(0.01)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
