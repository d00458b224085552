"""Config of recaptioning: every limit with its unit and the source of its default.

GLM-4.1V (sec. 3.1) names a factual-centred recaptioner, trained iteratively, and a mix at a predetermined ratio; it
states no number, so what stands here was measured or chosen, and says which.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from configs.schema.strict import Strict


class ServerRules(Strict):
    """An OpenAI-compatible server (vLLM, SGLang, a paid one)."""

    url: str = "http://127.0.0.1:8000/v1"
    """Where `/chat/completions` and `/models` lie."""
    api_key_variable: str = "OPENAI_API_KEY"
    """Environment variable that holds the key; none is sent where it is not set. The key itself is never config."""
    concurrency: int = Field(32, ge=1)
    """Requests in flight for one worker process. vLLM batches by itself and wants some tens."""
    connect_seconds: float = Field(5.0, gt=0)
    """Until somebody takes the connection."""
    read_seconds: float = Field(120.0, gt=0)
    """Longest silence of a server that has taken a request: it answers only when the last token is there."""
    total_seconds: float = Field(600.0, gt=0)
    """For one row over all its attempts and waits; above it the row is a CaptionerTimeout."""
    attempts: int = Field(6, ge=1)
    """Requests made for one row at most."""
    first_wait_seconds: float = Field(0.5, ge=0)
    """Upper end of the first wait; it doubles with each attempt, and each wait is drawn from its upper half."""
    longest_wait_seconds: float = Field(30.0, ge=0)
    """Upper end of a wait, and of what a server's Retry-After may ask for."""
    most_unanswered: int = Field(16, ge=1)
    """Rows in a row that got no answer after all attempts; then the server is down and the run stops."""
    max_reply_bytes: int = Field(4 << 20, ge=1)
    """Bytes of one reply; above it the row fails. 1,000 tokens are some 5 kB."""

    @field_validator("url")
    @classmethod
    def _without_secrets(cls, url: str) -> str:
        # A config goes into manifest, report and data card.
        if "@" in url.partition("://")[2].partition("/")[0] or "?" in url:
            raise ValueError("expected an address without user, password or query: a key comes from the environment")
        return url


class LocalRules(Strict):
    """A vision-language model in the worker's own process, through transformers."""

    path: str = ""
    """Folder with config, weights and processor, or a hub name; empty: `captioner.model`."""
    device: str = "auto"
    """`auto` (cuda, else cpu), or a torch device."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """`auto`: what the weights are stored in."""
    batch_size: int = Field(8, ge=1)
    """Pictures in one call of generate."""
    accelerator: str = ""
    """Beam resource hint of the step that runs the model, as `relevance.accelerator`."""


class CaptionerRules(Strict):
    backend: Literal["server", "local"] = "server"
    """An OpenAI-compatible server, or a model in the worker's own process."""
    model: str = "zai-org/GLM-4.1V-9B-Thinking"
    """Name the server knows the model by, or its hub name."""
    prompt: str = "refine-1"
    """Name in recaption/prompts: `refine-1` cleans and enriches the original, `describe-1` never sees it."""
    max_tokens: int = Field(512, ge=1)
    """Tokens of one answer; one that ends there is rejected as truncated. ImageInWords' longest need about 700."""
    temperature: float = Field(0.0, ge=0)
    """0: the most probable text. A local model always writes that one."""
    seed: int = 0
    """Sent with each request. A server's batching may still move a token: answers are stored, never asked twice."""
    max_side: int = Field(1024, ge=16)
    """Pixels of the longer side as sent; larger pictures are scaled down."""
    jpeg_quality: int = Field(90, ge=1, le=100)
    """Quality of the JPEG that a server is sent."""
    price_in: float = Field(0.0, ge=0)
    """Money for a million tokens read, in whatever currency."""
    price_out: float = Field(0.0, ge=0)
    """Money for a million tokens written."""
    server: ServerRules = ServerRules()
    local: LocalRules = LocalRules()


class GuardRules(Strict):
    min_characters: int = Field(10, ge=0)
    """Unicode characters of a refined text; Chinese says in ten what English says in thirty."""
    max_characters: int = Field(4_000, ge=1)
    """As `caption.max_characters`."""
    max_repeated_phrases: float = Field(0.2, ge=0, le=1)
    """Share of a text's four-word runs that occurred before; Chinese by characters, eight at a time. Above it lie 7 of
    1,156 long ImageInWords descriptions, which do say a phrase too often (looked at)."""
    min_language_characters: int = Field(40, ge=0)
    """A shorter text is judged by its script alone: under 20 characters a language is a guess (measured)."""
    max_facts_lost: int = Field(0, ge=0)
    """Facts of the original that may be missing."""
    max_facts_unsupported: int = Field(0, ge=0)
    """Facts that the refined text adds and nothing supports."""
    max_seen_count: int = Field(12, ge=0)
    """A bare number up to it is a count of things seen ("two dogs") and needs no support; nobody counts 47 birds."""
    max_clip_drop: float = Field(0.02, ge=0)
    """How much lower the refined text may score than the original. Precision moves a score by up to 0.003."""
    clip_support: float = Field(0.02, ge=0)
    """A text that scores higher by at least this supports quotes and counts it adds; never names, places or dates."""
    ocr: bool = False
    """Whether what is written in the picture supports a fact; needs the extra `ocr`. A picture is read only where
    nothing else supports what the refined text adds: reading takes 0.2 to 0.7 s on one core (measured)."""
    ocr_min_confidence: float = Field(0.5, ge=0, le=1)
    """Of a line that is believed: RapidOCR's own default, below it drops a line. Clear print has above 0.95."""


class MixRules(Strict):
    recaption_share: float = Field(0.5, ge=0, le=1)
    """Share of the rows with an accepted recaption whose text it becomes. GLM-4.1V: predetermined, not stated."""


class RecaptionRules(Strict):
    enabled: bool = False
    """Off by default: it needs a server or an accelerator."""
    batch_size: int = Field(256, ge=1)
    """Rows asked together; a batch ends with its slowest, so some times `server.concurrency`. What a killed run has to
    ask again at most, for each worker."""
    captioner: CaptionerRules = CaptionerRules()
    guard: GuardRules = GuardRules()
    mix: MixRules = MixRules()
