"""Python runs this at the start of every process that has the folder on its PYTHONPATH; where that is the process that
Beam's workers are forked from, each of them is armed at its start."""

import os
import sys

if "sdk_worker_main" in " ".join(sys.orig_argv):
    from tests.faults.mortal_workers import arm

    os.register_at_fork(after_in_child=arm)
