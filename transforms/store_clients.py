"""Clients of object stores: one for each bucket and process, with what a user's environment says of keys and endpoint.

s3://: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION or AWS_DEFAULT_REGION,
AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, AWS_SKIP_SIGNATURE; without keys whatever boto3 finds (profiles, SSO, roles).
gs://: GOOGLE_APPLICATION_CREDENTIALS or gcloud's own file, STORAGE_EMULATOR_HOST.
BEAMSIFT_STORE_PATIENCE: seconds for which one request is tried again, 180 where it is not set.
Left out on purpose: what is asked of a store (transforms/object_store.py).
"""

from __future__ import annotations

import json
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from transforms.storage import StoreUnavailable

if TYPE_CHECKING:
    from obstore.store import ClientConfig, GCSStore, ObjectStore, RetryConfig, S3Store

EXTRAS = {"s3": "aws", "gs": "gcp"}
PATIENCE = "BEAMSIFT_STORE_PATIENCE"
MOST_RETRIES = 10
CONNECT_SECONDS = 10
READ_SECONDS = 60
"""Without one byte; starts anew with each, so that a large object may take as long as it takes."""
REQUEST_SECONDS = 3600

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
# What says where S3's keys come from, so that nothing else has to be asked.
_KEYS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SKIP_SIGNATURE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_PREFIXES = ("AWS_", "GOOGLE_", "STORAGE_EMULATOR_HOST", PATIENCE)

_clients: dict[tuple[Any, ...], ObjectStore] = {}
_lock = threading.Lock()


def client_for(scheme: str, bucket: str) -> ObjectStore:
    """The client of a bucket, made when first asked for. PermissionError where no keys are found."""
    env = {name: value for name, value in os.environ.items() if name.startswith(_PREFIXES)}
    key = (os.getpid(), scheme, bucket, *sorted(env.items()))
    with _lock:
        if key not in _clients:
            _clients[key] = _MAKERS[scheme](bucket, env)
        return _clients[key]


def _s3(bucket: str, env: Mapping[str, str]) -> S3Store:
    store = library("s3")
    endpoint = next((env[name] for name in _ENDPOINTS if env.get(name)), "")
    # One object at a time: a bulk deletion is a POST that not every S3-compatible store knows.
    config: dict[str, Any] = {"disable_bulk_delete": True}
    if endpoint:
        config["endpoint"] = endpoint
    provider = None if any(env.get(name) for name in _KEYS) else _boto3_keys(bucket)
    found: S3Store = store.S3Store(
        bucket,
        config=config,
        client_options=_client_config(endpoint),
        retry_config=_retry_config(env),
        credential_provider=provider,
    )
    return found


def _boto3_keys(bucket: str) -> Any:
    """Keys as the AWS tools find them; None where boto3 is missing, and obstore asks the machine's role itself."""
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        return None
    try:
        return Boto3CredentialProvider()
    except ValueError as error:
        raise PermissionError(
            f"s3://{bucket}: expected keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role, found "
            "none; AWS_SKIP_SIGNATURE=true reads a public bucket"
        ) from error


def _gs(bucket: str, env: Mapping[str, str]) -> GCSStore:
    store = library("gs")
    endpoint = env.get("STORAGE_EMULATOR_HOST", "")
    if endpoint and "://" not in endpoint:
        endpoint = f"http://{endpoint}"
    config: dict[str, Any] = {"service_account_key": _no_account(endpoint.rstrip("/"))} if endpoint else {}
    if not endpoint and (path := env.get("GOOGLE_APPLICATION_CREDENTIALS")):
        config["application_credentials"] = path
    found: GCSStore = store.GCSStore(
        bucket, config=config, client_options=_client_config(endpoint), retry_config=_retry_config(env)
    )
    return found


def _no_account(endpoint: str) -> str:
    """An account for an emulator, which asks nobody who he is: obstore would ask Google for a token all the same."""
    account = {"gcs_base_url": endpoint, "disable_oauth": True, "client_email": "", "private_key": ""}
    return json.dumps({**account, "private_key_id": ""})


_MAKERS: dict[str, Any] = {"s3": _s3, "gs": _gs}


def library(scheme: str) -> Any:
    """obstore's stores; ImportError naming the extra to install."""
    try:
        from obstore import store
    except ImportError as error:
        raise ImportError(
            f"{scheme}:// expects the package obstore: pip install 'beamsift[{EXTRAS[scheme]}]'"
        ) from error
    return store


def _client_config(endpoint: str) -> ClientConfig:
    return {
        "allow_http": endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "read_timeout": timedelta(seconds=READ_SECONDS),
        "timeout": timedelta(seconds=REQUEST_SECONDS),
    }


def _retry_config(env: Mapping[str, str]) -> RetryConfig:
    """A request is tried again at most ten times, after 0.2 s, then up to twice the last wait (jitter), up to 15 s."""
    return {
        "max_retries": MOST_RETRIES,
        "retry_timeout": timedelta(seconds=float(env.get(PATIENCE) or 180)),
        "backoff": {"init_backoff": timedelta(seconds=0.2), "max_backoff": timedelta(seconds=15), "base": 2},
    }


Result = TypeVar("Result")
ATTEMPTS = 4
_TRIED = re.compile(r"after \d+ retries")


def again(attempt: Callable[[int], Result]) -> Result:
    """The result of `attempt`, given its number from 0 and made up to four times: for what obstore does not try again
    itself, which are listings whose answer breaks off, conditional puts and deletions."""
    for number in range(ATTEMPTS - 1):
        try:
            return attempt(number)
        except StoreUnavailable as error:
            if _TRIED.search(str(error.__cause__)):
                raise  # by obstore, for as long as it was told to
            time.sleep(random.uniform(0.1, 0.4 * 2**number))
    return attempt(ATTEMPTS - 1)


_STATUS = re.compile(r"status code: (\d{3}) ?([^:\n]*)")
_CODE = re.compile(r"<Code>(\w+)</Code>")
PASSING = {408, 425, 429}
"""Besides 5xx: a time-out, and requests that came too early or too often."""


@contextmanager
def as_os_error(uri: str) -> Iterator[None]:
    """obstore's errors as those that readers know, in one line with the URI. Those that say something of a request's
    conditions go through as they are."""
    try:
        yield
    except FileNotFoundError as error:
        expected = "the bucket" if "NoSuchBucket" in str(error) else "an object"
        raise FileNotFoundError(f"{uri}: expected {expected}, found none") from error
    except (OSError, ImportError):
        raise
    except Exception as error:
        if not isinstance(error, ValueError) and type(error).__module__.split(".")[0] != "obstore":
            raise
        if type(error).__name__ in ("AlreadyExistsError", "PreconditionError"):
            raise
        raise explain(uri, error) from error


def explain(uri: str, error: Exception) -> OSError:
    """What an error of obstore is to its caller; its text is all that tells a 503 from a broken request."""
    text, kind = str(error).split("\n\nDebug source", 1)[0], type(error).__name__
    if "169.254." in text or "token request" in text:  # the last place where obstore looks for keys
        return PermissionError(f"{uri}: expected keys in the environment or a role of this machine, found none")
    status, reason = next(iter(_STATUS.findall(text)), ("", ""))
    reason = next(iter(_CODE.findall(text)), reason.strip())
    if kind in ("PermissionDeniedError", "UnauthenticatedError") or status in ("401", "403"):
        return PermissionError(f"{uri}: expected leave to do this, found {status or kind} {reason}".rstrip())
    if status == "404":
        return FileNotFoundError(f"{uri}: expected the bucket, found none ({reason})")
    if status and int(status) < 500 and int(status) not in PASSING:
        return OSError(f"{uri}: expected success, found status {status} {reason}".rstrip())
    line = " ".join(text.split())
    if status or "HTTP error" in line:
        found = f"status {status} {reason}".rstrip() if status else line.rpartition("HTTP error: ")[2][:200]
        return StoreUnavailable(f"{uri}: the store did not answer, after all retries: {found}")
    return OSError(f"{uri}: {line[:300]}")
