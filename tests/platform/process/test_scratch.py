"""What killed processes left on the disk goes, and nothing else."""

import signal
import subprocess
import sys

from videoflix.platform.process.scratch import scratch_folder, sweep_scratch

PROGRAM = """
import sys
from videoflix.platform.process.scratch import scratch_folder
(scratch_folder() / "half a film").write_text("x")
print(scratch_folder(), flush=True)
sys.stdin.read()
"""


def test_only_folders_of_dead_processes_go() -> None:
    sweep_scratch()  # other tests kill processes, too
    mine = scratch_folder()
    (mine / "mine").write_text("x")
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        theirs = mine.parent / other.stdout.readline().strip()
        assert sweep_scratch() == 0
        assert [file.name for file in theirs.iterdir()] == ["half a film"]
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert sweep_scratch() == 1
    assert not theirs.exists()
    assert (mine / "mine").exists()
    assert scratch_folder() == mine
