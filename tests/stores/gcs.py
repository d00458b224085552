"""Google's XML API on the loopback: the S3 server behind a proxy that changes the three headers by which they differ.

obstore speaks to gs:// in this API, which Google made after S3's. There is no server of it to install: fsouza's
fake-gcs-server has the JSON API only (its issue 331), and gcp-storage-emulator answers no HEAD. So this shows that
our paths, listings and conditions are those of gs://, and not that Google's own servers answer so.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.stores.faulty_proxy import FaultyProxy

SOMEBODY = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
"""The S3 server checks no signature, but lets nobody without a name write."""


class GcsProxy(FaultyProxy):
    def request_headers(self, headers: dict[str, str]) -> dict[str, str]:
        sent = {name.lower(): value for name, value in headers.items()}
        sent["authorization"] = SOMEBODY
        if sent.pop("x-goog-if-generation-match", None) == "0":  # only where no object stands
            sent["if-none-match"] = "*"
        return sent

    def answer_headers(self, headers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
        return [*headers, ("x-goog-generation", "1")]
