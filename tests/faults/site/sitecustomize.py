"""Python runs this at the start of every process that has the folder on its PYTHONPATH; it arms Beam's workers only."""

import os
import sys

if "sdk_worker_main" in " ".join(sys.orig_argv) and os.path.exists(os.environ.get("BEAMSIFT_TEST_DEATH", "")):
    from tests.faults.mortal_workers import arm

    arm(os.environ["BEAMSIFT_TEST_DEATH"])
