"""A small pool of conversations with one for each fate, by path, in a tar beside the records, and in a WebDataset."""

import json
import tarfile
from base64 import b64encode
from io import BytesIO
from pathlib import Path

from PIL import Image

from tests.pipelines.small_run import jpeg
from tests.world.files import as_jpeg
from transforms.response_format import BOX, BOX_END, Response, format_response

THOUGHT = (
    "The picture shows some coloured squares. I count the red ones from left to right, row by row, and add them up."
)
FORMS = ("glm-4.1v", "glm-4.5v")


def talk(question: str, answer: str, images: list[str] | None = None, **fields) -> dict:
    """One question and one answer; a record as LLaMA-Factory has it."""
    asked = {"role": "user", "content": "<image>" * len(images or []) + question}
    shown = {"images": images} if images else {}
    return {"messages": [asked, {"role": "assistant", "content": answer}], **shown, **fields}


def data_uri(data: bytes) -> str:
    return f"data:image/jpeg;base64,{b64encode(data).decode()}"


def good(number: int, form: str = "glm-4.1v") -> str:
    answer = f"There are {BOX}{number}{BOX_END} squares."
    return format_response(Response(f"{THOUGHT} That makes {number}.", answer), form)


def rows() -> dict[str, tuple[dict, str]]:
    """Records by key, each with the rule or class that it falls to; empty where it stays."""
    plain = "Twelve squares of many colours, most of them red or blue."
    again = "I look at the first row of the picture and count it. " * 6
    doubts = " ".join(f"Wait, let me check row {n} again." for n in range(12))
    chinese = "首先看图中的方块 so we need to count 红色的方块 and then 我们 have 三个红色方块。"
    several = good(5).replace("There are", "Some say <|begin_of_box|>4<|end_of_box|>,")
    made = {
        "form41": (talk("How many red squares are there in this picture?", good(3), ["a.jpg"], reference="3"), ""),
        "form45": (talk("How many blue squares are in the picture?", good(4, FORMS[1]), ["b.jpg"], reference=4), ""),
        "plain": (talk("Describe the picture in one short sentence.", plain, ["a.jpg"]), ""),
        "text": (talk("What is seven times six? Say it in words.", "Forty-two."), ""),
        "again": (talk("How many red squares are there in this picture?", plain, ["a.jpg"]), "prompt_duplicate"),
        "other": (talk("How many red squares are there in this picture?", good(2), ["c.jpg"]), ""),
        "asked": ({"messages": [{"role": "user", "content": "Is anybody there at all?"}]}, "response_missing"),
        "tags": (
            talk("Which colour is most frequent here?", "<think>Red.<answer>Red.</answer>", ["a.jpg"]),
            "response_tags",
        ),
        "open": (talk("How many green squares are there?", f"<think>a</think>{BOX}3", ["a.jpg"]), "box_broken"),
        "unboxed": (
            talk("How many rows has the picture?", "<think>a</think>3", ["a.jpg"], verifiable=True),
            "box_missing",
        ),
        "boxes": (talk("How many columns has the picture?", several, ["a.jpg"], reference="5"), "box_twice"),
        "wrong": (talk("How many corners does it have?", good(7), ["a.jpg"], reference="8"), "answer_wrong"),
        "mixed": (talk("图中有几个红色的方块？", chinese, ["a.jpg"]), "response_mixed_language"),
        "loop": (
            talk("Count every square of the picture.", f"<think>{again}</think>Twelve.", ["a.jpg"]),
            "response_repeated_sentences",
        ),
        "doubt": (
            talk("Count them once more, please, and be sure.", f"<think>{doubts}</think>Twelve.", ["a.jpg"]),
            "response_hesitations",
        ),
        "hard": (talk("Name the painter of this work.", "Nobody knows.", ["a.jpg"], pass_rate=0.0), "task_too_hard"),
        "easy": (talk("Is this a picture or a sound?", "A picture.", ["a.jpg"], pass_rate=1.0), "task_too_easy"),
        "between": (talk("Is the upper left square dark?", "It is.", ["b.jpg"], pass_rate=0.5), ""),
        "absent": (talk("What is in this file?", "Nothing.", ["none.jpg"]), "FileMissing"),
        "outside": (talk("What is in that file?", "A secret.", ["../secret.jpg"]), "FileMissing"),
        "broken": (talk("What does this broken file show?", "Noise.", ["broken.jpg"]), "PictureUndecodable"),
        "inline": (talk("Which colours has this small picture?", "Red and blue.", [data_uri(jpeg(7, 64))]), ""),
        "drawn": (
            talk("Draw a red square, please.", "Here it is: <image>") | {"images": ["a.jpg"]},
            "response_picture",
        ),
        "greeting": ({"messages": [{"role": "assistant", "content": "Good morning, what is it?"}]}, "response_unasked"),
        "sliver": (talk("What does this line show?", "Nothing but a line.", ["sliver.jpg"]), "picture_sliver"),
        "spelt": (talk("How many squares are yellow?", "<THINK>One, two.</THINK>Two.", ["a.jpg"]), "response_tags"),
        "per_cent": (talk("How many squares are violet?", "Three.", ["a.jpg"], pass_rate=85), "RecordBroken"),
        "roles": ({"messages": [{"role": "narrator", "content": "Once upon a time"}]}, "RecordBroken"),
        "count": (talk("<image>And here?", "Nothing.", ["a.jpg"]), "RecordBroken"),
    }
    unanswered = made["text"][0]["messages"] + [{"role": "user", "content": "And seven times seven?"}]
    return made | {"unanswered": ({"messages": unanswered}, "conversation_unanswered")}


def video() -> dict:
    frames = {"frames": ["f0.jpg", "f1.jpg"], "seconds": [0, 1.5]}
    return talk("<video>What happens in this short clip?", "The squares change their colours.") | {"videos": [frames]}


def write_sft_pool(folder: Path) -> list[str]:
    """A JSONL with files beside it, one with a tar beside it, and a WebDataset."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(("a.jpg", "b.jpg", "c.jpg", "f0.jpg", "f1.jpg")):
        (folder / name).write_bytes(jpeg(seed, 64))
    (folder / "sliver.jpg").write_bytes(as_jpeg(Image.new("RGB", (804, 4)), 80))
    (folder / "broken.jpg").write_bytes(b"no picture at all")
    (folder.parent / "secret.jpg").write_bytes(jpeg(9, 64))
    records = [{"id": key, **record} for key, (record, _) in rows().items()]
    lines = [json.dumps(record, ensure_ascii=False) for record in [*records, {"id": "video", **video()}]]
    (folder / "files.jsonl").write_text("\n".join([*lines, "{broken", ""]))
    beside = talk("What is drawn in the picture of the tar?", "Squares in many colours.", ["x/y.jpg"])
    (folder / "packed.jsonl").write_text(json.dumps(beside) + "\n")
    _write_tar(folder / "packed.tar", {"x/y.jpg": jpeg(20, 64)})
    said = talk("What is drawn in the picture of the set?", "Squares as well, but other ones.")
    said["messages"][0]["content"] = "<image>" + said["messages"][0]["content"]
    members = {"web.jpg": jpeg(21, 64), "web.json": json.dumps(said).encode(), "alone.jpg": jpeg(22, 64)}
    _write_tar(folder / "set.tar", members)
    return [str(folder / name) for name in ("files.jsonl", "packed.jsonl", "set.tar")]


FATES = {
    # A record that is no conversation is known by its file and line.
    **{f"files-{n}" if key in ("roles", "count") else key: why for n, (key, (_, why)) in enumerate(rows().items())},
    "video": "",
    "files-31": "JsonBroken",
    "packed-0": "",
    "web": "",
    "alone": "RecordBroken",
}


def _write_tar(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, BytesIO(data))
