"""What the user is told of an error that ended a pipeline: one line for what is his to mend, nothing for a bug."""

import pytest

from classifiers.errors import ModelError
from pipelines.errors import explain_stop
from recaption.captioner import CaptionerDown
from transforms.storage import StoreUnavailable
from transforms.vocabulary import VocabularyError

TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in process\n'
LOST = "a worker process ended, killed or out of memory"
FLINK = "Pipeline J failed in state FAILED: "


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError("disk full"), "OSError: disk full"),
        (ModelError("no weights"), "ModelError: no weights"),
        (VocabularyError("v.tsv: line 3"), "VocabularyError: v.tsv: line 3"),
        (RuntimeError(f"{TRACEBACK}transforms.vocabulary.VocabularyError: v.tsv: x\n"), "VocabularyError: v.tsv: x"),
        (StoreUnavailable("s3://b/a: 503 after 5 tries"), "StoreUnavailable: s3://b/a: 503 after 5 tries"),
        (CaptionerDown("http://h: nobody [while running 'Recaption']"), "CaptionerDown: http://h: nobody"),
        (RuntimeError(f"{TRACEBACK}recaption.captioner.CaptionerDown: nobody\n"), "CaptionerDown: nobody"),
        (RuntimeError(f"{TRACEBACK}OSError: disk full\n"), "OSError: disk full"),
        (
            RuntimeError(
                f"{FLINK}java.util.X: Error received from SDK harness for instruction 4: {TRACEBACK}"
                "transforms.storage.StoreUnavailable: s3://b/a: 503 [while running 'Scan/Read']\n\n"
            ),
            "StoreUnavailable: s3://b/a: 503",
        ),
        (RuntimeError("Channel closed prematurely"), LOST),
        (
            RuntimeError("Worker subprocess exited with return code -9"),
            LOST,
        ),
        (
            RuntimeError(f"{FLINK}io.grpc.StatusRuntimeException: CANCELLED: client cancelled"),
            LOST,
        ),
        (
            RuntimeError(f"{FLINK}JobMasterException: TaskManager with id localhost:1-a is no longer reachable."),
            "a task manager of Flink was lost",
        ),
        (
            RuntimeError(f"{FLINK}RecipientUnreachableException: Could not send message"),
            "a task manager of Flink was lost",
        ),
        (
            RuntimeError(f"{FLINK}RemoteTransportException: Connection unexpectedly closed by remote task manager"),
            "a task manager of Flink was lost",
        ),
        (
            RuntimeError(f"{FLINK}NoResourceAvailableException: Could not acquire the minimum required resources."),
            "Flink has fewer free slots than --parallelism asks for",
        ),
    ],
)
def test_what_is_the_users_to_mend_is_one_line(error, told):
    assert str(explain_stop(error)) == f"{told}; the same command resumes"


@pytest.mark.parametrize("error", [ValueError("bug"), RuntimeError(f"{TRACEBACK}ValueError: bug\n"), KeyError("bug")])
def test_a_bug_keeps_its_traceback(error):
    assert explain_stop(error) is None
