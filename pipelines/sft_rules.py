"""What the SFT pipeline tells people of itself: its rules in the order they apply, its measures."""

from __future__ import annotations

from pipelines.report_spec import ReportSpec, RuleSpec
from transforms.ledger import Measure

MEASURES: dict[str, Measure] = {
    "turns": Measure("int64", "turns", "Turns of the conversation, a system prompt with them"),
    "responses": Measure("int64", "responses", "Turns of the assistant"),
    "unanswered": Measure("int64", "0 or 1", "Whether the last turn is not the assistant's"),
    "unprompted": Measure("int64", "responses", "Responses that no turn, a system's or an empty one stands before"),
    "pictures": Measure("int64", "pictures", "Pictures and frames that the turns show"),
    "response_pictures": Measure("int64", "pictures", "Pictures in responses"),
    "frame_sizes": Measure("int64", "sizes", "Different sizes of frames in one video"),
    "widest_picture": Measure("double", "ratio", "Longer by shorter side of the widest or highest picture"),
    "prompt_characters": Measure("int64", "characters", "Length of all turns but the responses"),
    "plain_responses": Measure("int64", "responses", "Responses without a thought"),
    "broken": Measure("int64", "responses", "Responses of neither form and not plain"),
    "fault": Measure("string", "words", "What is wrong with the first of them"),
    "broken_41v": Measure("int64", "responses", "Tagged responses that are not of GLM-4.1V's form"),
    "fault_41v": Measure("string", "words", "What is wrong with the first of them"),
    "broken_45v": Measure("int64", "responses", "Tagged responses that are not of GLM-4.5V's form"),
    "fault_45v": Measure("string", "words", "What is wrong with the first of them"),
    "broken_boxes": Measure("int64", "responses", "Responses with a box that is not closed, nested or empty"),
    "box_fault": Measure("string", "words", "What is wrong with the first of them"),
    "thoughts": Measure("int64", "thoughts", "Responses with a thought"),
    "thought_boxes": Measure("int64", "boxes", "Boxes in the thoughts of a verifiable task"),
    "boxes": Measure("int64", "boxes", "Boxes in the last answer of a verifiable task"),
    "boxed": Measure("string", "text", "What its box holds"),
    "reference": Measure("string", "text", "The right answer, as the record gives it"),
    "verifiable": Measure("int64", "0 or 1", "Whether the task has one right answer"),
    "answer_equal": Measure("int64", "0 or 1", "Whether the box says what the reference says"),
    "longest_answer": Measure("int64", "characters", "Length of the longest answer"),
    "shortest_answer": Measure("int64", "characters", "Length of the shortest answer"),
    "longest_thought": Measure("int64", "characters", "Length of the longest thought"),
    "shortest_thought": Measure("int64", "characters", "Length of the shortest thought that is not empty"),
    "mixed_language": Measure("double", "share", "Speech in another script than most of a thought or answer"),
    "repeated_sentences": Measure("double", "share", "Characters of a text in sentences that stood before"),
    "repeated_runs": Measure("double", "share", "Characters of a text in runs of ten words that stood before"),
    "hesitations": Measure("double", "share", "Sentences of a text that begin with a doubt"),
    "pass_rate": Measure("double", "share", "Attempts of the model to be trained that were right"),
    "text_copies": Measure("int64", "conversations", "Conversations around the one of nearly this prompt that stays"),
    "text_duplicate_of": Measure("string", "key", "Key of the conversation of nearly the same prompt that was kept"),
    "text_similarity": Measure("double", "share", "Estimated share of runs of words in common with the kept prompt"),
}

RULES = [
    RuleSpec("response_missing", "responses", "Turns", "", "min", "Nobody answers", 1),
    RuleSpec("conversation_unanswered", "unanswered", "Turns", "", "max", "The last turn is a question", 0),
    RuleSpec("response_unasked", "unprompted", "Turns", "turns.enabled", "max", "Nobody asked", 0),
    RuleSpec("response_picture", "response_pictures", "Pictures", "pictures.enabled", "max", "No model draws here", 0),
    RuleSpec("video_frame_sizes", "frame_sizes", "Pictures", "pictures.enabled", "max", "Not frames of one video", 1),
    RuleSpec(
        "picture_sliver", "widest_picture", "Pictures", "pictures.max_aspect_ratio", "max", "No processor takes it"
    ),
    RuleSpec(
        "response_tags", "broken", "Tags", "tags.form", "max", "Tags missing, doubled, out of order or misspelt", 0
    ),
    RuleSpec("response_plain", "plain_responses", "Tags", "tags.allow_plain", "max", "No thought in tags", 0),
    RuleSpec("box_broken", "broken_boxes", "Box", "box.enabled", "max", "A box not closed, nested or empty", 0),
    RuleSpec("box_missing", "boxes", "Box", "box.require", "min", "A verifiable answer without a box", 1),
    RuleSpec("box_twice", "boxes", "Box", "box.require", "max", "Which of the boxes is meant?", 1),
    RuleSpec("box_in_thought", "thought_boxes", "Box", "box.require", "max", "A box before the answer", 0),
    RuleSpec("answer_wrong", "answer_equal", "Box", "box.check_reference", "min", "Not what the reference says", 1),
    RuleSpec("prompt_too_long", "prompt_characters", "Length", "length.max_prompt", "max", "Would not fit the context"),
    RuleSpec("answer_too_short", "shortest_answer", "Length", "length.min_answer", "min", "Says next to nothing"),
    RuleSpec("answer_too_long", "longest_answer", "Length", "length.max_answer", "max", "Does not come to an end"),
    RuleSpec(
        "thought_too_short", "shortest_thought", "Length", "length.min_thought", "min", "No thought worth its tags"
    ),
    RuleSpec("thought_too_long", "longest_thought", "Length", "length.max_thought", "max", "Would not fit the context"),
    RuleSpec("response_mixed_language", "mixed_language", "Style", "language.max_mixed", "max", "Languages mixed"),
    RuleSpec(
        "response_repeated_sentences",
        "repeated_sentences",
        "Style",
        "repetition.max_sentences",
        "max",
        "The same sentences over and over",
    ),
    RuleSpec(
        "response_repeated_runs",
        "repeated_runs",
        "Style",
        "repetition.max_runs",
        "max",
        "The same runs of words over and over",
    ),
    RuleSpec(
        "response_hesitations",
        "hesitations",
        "Style",
        "repetition.max_hesitations",
        "max",
        "Doubt after doubt",
    ),
    RuleSpec("task_too_hard", "pass_rate", "Difficulty", "difficulty.min_pass_rate", "min", "Never solved"),
    RuleSpec("task_too_easy", "pass_rate", "Difficulty", "difficulty.max_pass_rate", "max", "Always solved"),
    RuleSpec(
        "prompt_duplicate",
        "text_similarity",
        "Sample",
        "duplicates.min_similarity",
        "max",
        "Nearly the same is asked of the same pictures",
    ),
]

REPORT = ReportSpec(
    "Conversations",
    RULES,
    MEASURES,
    clusters="text_duplicate_of",
    whole="conversations",
    speaks=True,
    hidden=frozenset({"boxed", "reference", "fault_41v", "fault_45v"}),
)
