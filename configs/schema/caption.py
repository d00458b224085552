"""Config of the caption pipeline: every threshold with its unit and the source of its default.

GLM-4.1V (sec. 3.1) names the steps and states one number, CLIP score > 0.3; the other defaults are public values.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from configs.schema.recaption import RecaptionRules
from configs.schema.strict import Strict


class ReadRules(Strict):
    """What a reader may take from one sample before it refuses."""

    max_picture_bytes: int = Field(64 << 20, ge=1)
    """Bytes of one picture file; above it the row fails. 64 MiB: the largest LAION-style originals are far below."""
    max_caption_bytes: int = Field(64 << 10, ge=1)
    """Bytes of one caption; above it the row fails, so that one row cannot bloat a ledger."""
    max_json_bytes: int = Field(1 << 20, ge=2)
    """Bytes of one sample's JSON; above it the row fails."""
    max_decode_pixels: int = Field(178_956_970, ge=1)
    """Pixels a decoder may be asked for, whatever the header claims. Pillow's own decompression-bomb error limit."""
    decode_seconds: int = Field(30, ge=1)
    """CPU seconds for decoding one suspicious picture; above it the row fails. Five times what the costliest picture of
    `max_decode_pixels` took (16-bit RGBA PNG: 6 s), because no other limit depends on the machine."""
    decode_bytes: int = Field(3 << 30, ge=1 << 29)
    """Bytes of address space of the process that decodes a suspicious picture; above it the row fails. 89 megapixels of
    RGBA PNG fit 1.5 GiB, and `max_decode_pixels` of them fit this."""
    max_unpacked_bytes: int = Field(64 << 30, ge=1)
    """Bytes that one tar.gz may unpack to on the worker's disk; above it the file is one failed row. WebDataset tars
    are near 1 GB. Whatever this says, a hundredfold of the file is refused where it is over 256 MiB."""
    rows_per_chunk: int = Field(10_000, ge=1)
    """Rows of a JSONL or CSV index that make one unit of work."""
    image_column: str = "image"
    """Column of Parquet or index files that holds the picture (bytes, {bytes, path}, or a path)."""
    caption_columns: tuple[str, ...] = ("caption", "captions", "text", "txt", "alt_text")
    """Columns or JSON fields that hold captions; the first one present is read. A list gives several captions."""
    key_column: str = "key"
    """Column of Parquet or index files that names the sample; the row number where absent."""


class ImageRules(Strict):
    enabled: bool = True
    min_short_side: int = Field(200, ge=1)
    """Pixels. DataComp (arXiv 2304.14108) basic filtering: smaller dimension above 200."""
    max_aspect_ratio: float = Field(3.0, ge=1)
    """Longer side over shorter. DataComp basic filtering: below 3."""
    min_pixel_count: int = Field(40_000, ge=1)
    """Width times height. 200 x 200, so that it binds only where min_short_side was lowered."""
    max_pixel_count: int = Field(89_478_485, ge=1)
    """Width times height. Pillow's decompression-bomb warning limit; a picture above it is not decoded."""
    allow_animated: bool = False
    """Whether a file of several frames may stay; a caption of a moving picture is not one of its first frame."""
    min_grey_std: float = Field(4.0, ge=0)
    """Grey levels (0..255). Below it the picture is a solid colour: 8-bit JPEG noise alone stays under 3."""
    min_entropy: float = Field(0.05, ge=0, le=8)
    """Bits of the 256-bin grey histogram. Below it less than about one pixel in 180 differs from the ground.
    Line drawings on white, which are worth keeping, measured 0.1 to 0.5 on real pages."""


class CaptionRules(Strict):
    enabled: bool = True
    min_characters: int = Field(6, ge=0)
    """Unicode characters without surrounding space. DataComp basic filtering: over five."""
    max_characters: int = Field(4_000, ge=1)
    """Unicode characters. Long human descriptions (ImageInWords) reach 3,000."""
    min_words: int = Field(3, ge=0)
    """Words, segmented by dictionary where the script has no spaces. DataComp basic filtering: over two."""
    max_words: int = Field(800, ge=1)
    """Words, as min_words."""
    max_file_name_share: float = Field(0.5, ge=0, le=1)
    """Share of the caption's characters that belong to tokens shaped like file names (IMG_2041.JPG, kafka-before)."""
    max_url_share: float = Field(0.5, ge=0, le=1)
    """Share of the caption's characters inside URLs, e-mail addresses and domain names."""
    max_repeated_characters: int = Field(9, ge=1)
    """Longest run of one character that is not a digit, space or dot leader."""
    max_repeated_words: float = Field(0.5, ge=0, le=1)
    """Share of words beyond the first occurrence of each in windows of 40 words; shorter than six words is not judged.
    Counted over a whole text, 146 of 1,156 good descriptions of ImageInWords would fall (measured)."""
    max_control_characters: int = Field(0, ge=0)
    """C0, C1 and NUL characters other than tab and line breaks; bidirectional marks are not counted."""


class LanguageRules(Strict):
    enabled: bool = True
    """Whether the language is measured at all."""
    allowed: tuple[str, ...] = ()
    """ISO 639-1 codes that may stay; empty: every language (GLM-4.1V mixes Chinese and English pools)."""


class BoilerplateRules(Strict):
    enabled: bool = True
    max_pictures: int = Field(10, ge=1)
    """Different pictures of the pool that may share one caption (case and spacing aside).
    MMC4 drops a picture with more than 10 duplicates in a 60k sample; the same bound for captions."""


class DuplicateRules(Strict):
    enabled: bool = True
    of: Literal["bytes", "pixels"] = "pixels"
    """What makes two pictures exact copies: the file's bytes, or the decoded pixels (which includes equal bytes)."""


class AgainstRules(Strict):
    runs: tuple[str, ...] = ()
    """Outputs of finished runs (`--against OUT …`): what is equal to a picture they keep goes, by `duplicates`, and
    what is near one, by `near_duplicates`, where these are on. Runs without hashes know equal pictures only."""


class NearDuplicateRules(Strict):
    enabled: bool = False
    """Whether pictures that look the same are looked for. Off by default: GLM-4.1V does not say that it did, hash and
    look add two milliseconds a picture to the scan, and 1 % of drawn scenes are taken for another of their template."""
    max_distance: int = Field(4, ge=0, le=8)
    """Bits of the 64-bit perceptual hash that may differ. MMC4 takes 5 inside a document; at 4 all grey, resized and
    recompressed copies of 8 real photos were found and 7 of 8 brightened ones, at 8 also these (measured). With the
    second look 8 is as precise, finds 1 % more and costs more time where pools are large."""
    max_difference: float = Field(0.05, ge=0, le=1)
    """Share of the strong frequencies by which the looks of two pictures of near hashes may differ; 1: no second look.
    At 0.05 and 4 bits 3 of 654 drawn scenes were taken for another one instead of 27, and of resized, recompressed,
    grey, darker and warmer copies 97 to 99 % stayed found; of drawings made so bright that they clip it lets a third
    go, of those cropped by 1 % half; photos lose none of what the hash finds (measured)."""
    keep: Literal["largest", "longest_caption"] = "largest"
    """Which stays: most pixels, then the longest caption, or the other way about; then the smaller key. The CLIP score
    is not offered: as in GLM-4.1V duplicates go before relevance, so the model is never asked about them."""
    keep_captions: bool = False
    """Whether the captions of dropped copies go into the JSON of the one that stays, as pieces of the role
    `copy_caption`, at most 20."""


class RelevanceRules(Strict):
    enabled: bool = True
    min_score: float = Field(0.3, ge=-1, le=1)
    """Cosine of picture and caption. GLM-4.1V sec. 3.1: keep above 0.3."""
    model: str = "ViT-B-32"
    """open_clip architecture, or `local-dir:PATH` of a folder with open_clip_config.json and its weights.
    GLM-4.1V does not state its model; ViT-B/32 with 0.3 is LAION-400M's choice."""
    pretrained: str = "openai"
    """open_clip weights tag or the path of a checkpoint; empty for `local-dir:`."""
    device: str = "auto"
    """`auto` (cuda, else cpu), or a torch device."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto`: bf16 where the device computes in it, else fp32."""
    batch_size: int = Field(64, ge=1)
    """Pairs in one forward pass; batches never cross a unit of work."""
    accelerator: str = ""
    """Beam resource hint of the step that runs the model, and of no other, as
    `type:nvidia-l4;count:1;install-nvidia-driver`. Dataflow honours it, other runners do not."""
    threads: int = Field(1, ge=1)
    """CPU threads of one copy of the model. One per worker process keeps workers from fighting over cores."""


class SemanticDuplicateRules(Strict):
    enabled: bool = False
    """Whether pictures that mean the same are looked for by the embeddings that relevance made. SemDeDup (arXiv
    2303.09540); GLM-4.1V does not say that it did."""
    min_cosine: float = Field(0.96, ge=0, le=1)
    """Cosine of two pictures' embeddings from which one is a copy of the other. Ours: it depends on the model, and the
    report shows the pairs nearest to it. SemDeDup's 1 - epsilon is chosen by the share to keep."""
    text_min_cosine: float = Field(-1.0, ge=-1, le=1)
    """Cosine of the two captions that won from which the pair still counts; -1: captions are not asked."""
    keep: Literal["largest", "best_score", "longest_caption"] = "best_score"
    """Which stays: the highest CLIP score, the most pixels or the longest caption; the others break ties in the order
    score, pixels, caption; then the smaller key. SemDeDup keeps the one furthest from its centroid."""
    rows_per_cluster: int = Field(20_000, ge=1)
    """Rows that one worker compares with each other: 20 MB of embeddings of 512 numbers. A smaller pool is one cluster
    and exact. SemDeDup found its answer to depend little on the number of clusters."""
    keep_captions: bool = False
    """Whether the captions of dropped copies go into the JSON of the one that stays, as pieces of the role
    `copy_caption`, at most 20."""


class ConceptRules(Strict):
    enabled: bool = False
    """Whether captions are resampled by the concepts they name. Off by default, because it needs a vocabulary."""
    vocabulary: str = ""
    """File or URI of the entries: TSV, Parquet, a line each, or JSON (`beamsift vocabulary build` makes one). GLM-4.1V
    says visual concepts and proper nouns; MetaCLIP has 500,000 of WordNet and Wikipedia."""
    padding: Literal["metaclip1", "metaclip2", "spaced"] = "metaclip1"
    """Edges of an entry in a caption: a space on both sides; none at Chinese, Thai and the like and at signs; the same
    and signs inside an entry set apart as a caption's are. Captions in such scripts need the second or third."""
    t: float = Field(20_000, gt=0)
    """Captions an entry is brought down to on average. MetaCLIP: 20,000 for 400 million pairs, 170,000 for 2.5 billion;
    GLM-4.1V does not state its own."""
    target: int = Field(0, ge=0)
    """Samples to keep: the t is solved for it and `t` is not read. 0: `t` is given."""


class OutputRules(Strict):
    samples_per_shard: int = Field(10_000, ge=1)
    """Samples in each shard but the last. img2dataset's default."""
    shuffle_run: int = Field(0, ge=0)
    """0: pool order. k: runs of k samples are permuted over the whole set, so that it leaves shuffled."""
    max_failure_rate: float = Field(0.05, ge=0, le=1)
    """Share of read rows that may fail before the run ends with exit code 3 and no manifest."""


class CaptionConfig(Strict):
    """The caption pipeline, in the order of its steps."""

    seed: int = 0
    """Enters every hash that stands for chance."""
    read: ReadRules = ReadRules()
    image: ImageRules = ImageRules()
    caption: CaptionRules = CaptionRules()
    language: LanguageRules = LanguageRules()
    boilerplate: BoilerplateRules = BoilerplateRules()
    against: AgainstRules = AgainstRules()
    duplicates: DuplicateRules = DuplicateRules()
    near_duplicates: NearDuplicateRules = NearDuplicateRules()
    relevance: RelevanceRules = RelevanceRules()
    semantic_duplicates: SemanticDuplicateRules = SemanticDuplicateRules()
    concepts: ConceptRules = ConceptRules()
    recaption: RecaptionRules = RecaptionRules()
    output: OutputRules = OutputRules()

    @model_validator(mode="after")
    def _bounds_in_order(self) -> CaptionConfig:
        pairs = {
            "caption.*_characters": (self.caption.min_characters, self.caption.max_characters),
            "caption.*_words": (self.caption.min_words, self.caption.max_words),
            "image.*_pixel_count": (self.image.min_pixel_count, self.image.max_pixel_count),
        }
        if self.semantic_duplicates.enabled and not self.relevance.enabled:
            raise ValueError("semantic_duplicates.enabled: expected relevance.enabled, whose model is asked")
        for name, (low, high) in pairs.items():
            if low > high:
                raise ValueError(f"{name}: expected min <= max, found {low} > {high}")
        return self

    @model_validator(mode="after")
    def _a_vocabulary_where_concepts_count(self) -> CaptionConfig:
        if self.concepts.enabled and not self.concepts.vocabulary:
            raise ValueError("concepts.vocabulary: expected a file where concepts.enabled is true, found none")
        return self
