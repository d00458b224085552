"""Config of the SFT pipeline: every limit on conversations and their responses, with the source of its default.

GLM-4.1V (sections 3.2 and 4) names what is curated (tags, boxes, mixed language, redundant thought patterns, what is
too easy or too hard) and states no number. Defaults without a source are ours: none of 1,500 worked answers of gsm8k
falls to those on language and repetition.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

from pydantic import Field, model_validator

from configs.schema.caption import OutputRules, ReadRules
from configs.schema.strict import Strict
from configs.schema.web_rules import SimilarityRules


class ConversationReadRules(Strict):
    """What a reader takes from a record, and which of its fields say what."""

    max_json_bytes: int = Field(4 << 20, ge=2)
    """Bytes of one record; above it the row fails. A response of 32,768 tokens is some 150 kB."""
    max_pictures: int = Field(1024, ge=1)
    """Pictures and frames of one conversation; above it the row fails. A context of 32,768 tokens holds fewer."""
    max_picture_bytes: int = Field(64 << 20, ge=1)
    """Bytes of one picture file, as in configs/schema/caption.py ReadRules, like the four that follow."""
    max_decode_pixels: int = Field(178_956_970, ge=1)
    """Pixels a decoder may be asked for."""
    decode_seconds: int = Field(30, ge=1)
    """CPU seconds for decoding one suspicious picture."""
    decode_bytes: int = Field(3 << 30, ge=1 << 29)
    """Bytes of address space of the process that decodes it."""
    max_unpacked_bytes: int = Field(64 << 30, ge=1)
    """Bytes that one tar.gz may unpack to."""
    rows_per_chunk: int = Field(10_000, ge=1)
    """Rows of a JSONL that make one unit of work."""
    key_fields: tuple[str, ...] = ("key", "id", "uid")
    """Fields that name a record; the first one present. Its file and row where none is, in a tar the members' name."""
    reference_fields: tuple[str, ...] = ("reference", "reference_answer", "ground_truth")
    """Fields that hold the right answer; the first one that says something. A list of texts is a choice of them. Not
    `solution`, which is a worked one in most sets."""
    verifiable_field: str = "verifiable"
    """A boolean field that says whether the task has one right answer; where it is absent or null, a reference says so.
    Any other value fails the row."""
    pass_rate_field: str = "pass_rate"
    """Share (0..1) of attempts of the model to be trained that were right; absent or null where nobody tried. Any other
    value fails the row: 85 may be per cent."""


class TurnRules(Strict):
    enabled: bool = True
    """Whether a response that follows on nothing drops the conversation: on no turn (ShareGPT has many), on the
    system's, on an empty one of the user. It would be trained on all the same."""


class ShownRules(Strict):
    """Pictures and frames as a model's processor takes them. What these rules turn away, `train` counts as corrupt."""

    enabled: bool = True
    """Also: whether a picture in a response, or a video whose frames differ in size, drops the conversation."""
    max_aspect_ratio: float = Field(200, ge=1)
    """Longer by shorter side. Glm4vImageProcessor refuses more than 200."""


class TagRules(Strict):
    """The tags of responses."""

    enabled: bool = True
    """What is off here stays, and is a corrupt sample to `train`."""
    form: Literal["either", "glm-4.1v", "glm-4.5v"] = "either"
    """`glm-4.1v`: thought and answer in tags; `glm-4.5v`: no answer tags. Training writes whichever it is told."""
    allow_plain: bool = True
    """Whether answers without a thought may stay, without tags or with an empty thought: they are trained on as
    `/nothink`."""


class BoxRules(Strict):
    """The box of a verifiable answer."""

    enabled: bool = True
    require: bool = True
    """Whether the last answer to a verifiable task must hold exactly one. GLM-4.1V: yes."""
    check_reference: bool = True
    """Whether what it holds must equal the reference, where there is one."""


class LengthRules(Strict):
    """Lengths in characters: tokens are another tokenizer's with every model."""

    enabled: bool = True
    max_prompt: int = Field(100_000, ge=1)
    """Of all turns but the responses: some 25,000 tokens, as of a thought."""
    min_answer: int = Field(1, ge=0)
    """Of the shortest answer of a conversation."""
    max_answer: int = Field(20_000, ge=1)
    """Of its longest answer: some 5,000 tokens."""
    min_thought: int = Field(0, ge=0)
    """Of the shortest thought that is not empty; 0 is off."""
    max_thought: int = Field(100_000, ge=1)
    """Of the longest thought: some 25,000 tokens, which leaves room for a picture in a context of 32,768."""


class LanguageRules(Strict):
    enabled: bool = True
    max_mixed: float = Field(0.1, ge=0, le=1)
    """Share of the words of a thought, or of an answer, in sentences of another script than most of it, code, formulas
    and quotations aside."""


class RepetitionRules(Strict):
    """Redundant thought patterns, judged in thoughts of 20 words and more."""

    enabled: bool = True
    max_sentences: float = Field(0.3, ge=0, le=1)
    """Share of characters in sentences that stood before in the same thought."""
    max_runs: float = Field(0.3, ge=0, le=1)
    """Share of characters in runs of ten words that stood before. Gopher's limit for prose is 0.1; thoughts restate."""
    max_hesitations: float = Field(0.4, ge=0, le=1)
    """Share of sentences that begin with "Wait", "Hmm", "Let me check again" and the like, in thoughts of ten sentences
    and more."""


class DifficultyRules(Strict):
    """The window of pass rates, where the record has one."""

    enabled: bool = True
    min_pass_rate: float = Field(0.01, ge=0, le=1)
    """Below it the task is too hard. By default what no attempt of a hundred solved."""
    max_pass_rate: float = Field(0.99, ge=0, le=1)
    """Above it the task is too easy. By default what every attempt solved."""


class PromptDuplicateRules(SimilarityRules):
    """Conversations that ask nearly the same of the same pictures, by MinHash over the turns of users."""

    keep: Literal["longest", "shortest"] = "longest"
    """Which stays: the longest responses or the shortest; then the smaller key."""
    same_numbers: bool = True
    """Whether only prompts with the same numbers in the same order are near. Of gsm8k's questions (44 words) with one
    number changed, which is another task with another answer, 45 % are as similar as `min_similarity` else."""


class SftConfig(Strict):
    """The SFT pipeline, in the order of its steps."""

    seed: int = 0
    """Enters every hash that stands for chance."""
    read: ConversationReadRules = ConversationReadRules()
    turns: TurnRules = TurnRules()
    pictures: ShownRules = ShownRules()
    tags: TagRules = TagRules()
    box: BoxRules = BoxRules()
    length: LengthRules = LengthRules()
    language: LanguageRules = LanguageRules()
    repetition: RepetitionRules = RepetitionRules()
    difficulty: DifficultyRules = DifficultyRules()
    duplicates: PromptDuplicateRules = PromptDuplicateRules()
    output: OutputRules = OutputRules()

    @model_validator(mode="after")
    def _bounds_in_order(self) -> SftConfig:
        pairs = {
            "length.*_answer": (self.length.min_answer, self.length.max_answer),
            "length.*_thought": (self.length.min_thought, self.length.max_thought),
            "difficulty.*_pass_rate": (self.difficulty.min_pass_rate, self.difficulty.max_pass_rate),
        }
        for name, (low, high) in pairs.items():
            if low > high:
                raise ValueError(f"{name}: expected min <= max, found {low} > {high}")
        return self


@cache
def reading_rules(rules: ConversationReadRules) -> ReadRules:
    """The limits as the readers of all pools know them."""
    shared = ReadRules.model_fields.keys() & ConversationReadRules.model_fields.keys()
    return ReadRules(**{name: getattr(rules, name) for name in shared})
