"""Patches against transformers' own processors: pictures, real and drawn, bit for bit, and video frames."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from train.media import (
    Look,
    MediaError,
    PixelLimits,
    choose_frames,
    count_tokens,
    expand_pictures,
    fit_size,
    picture_patches,
    video_patches,
    video_seconds,
)

pytest.importorskip("transformers")

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "web_images"
SIDES = st.integers(1, 400)


@pytest.fixture(scope="module")
def library():
    from transformers import Glm4vImageProcessorPil

    return Glm4vImageProcessorPil()


def drawn(width: int, height: int, seed: int = 0, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


def assert_equal(picture, library, limits=None):
    size = {"size": {"shortest_edge": limits.least, "longest_edge": limits.most}} if limits else {}
    wanted = library(picture, return_tensors="np", **size)
    found = picture_patches(picture, *([limits] if limits else []))
    assert found.grid == tuple(wanted["image_grid_thw"][0])
    assert found.values.dtype == np.float32 and found.values.shape == (np.prod(found.grid), 1176)
    np.testing.assert_array_equal(found.values, wanted["pixel_values"])


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.is_dir(), reason="needs ../shared/data/web_images")
def test_real_pictures_are_what_the_library_makes_of_them(library):
    paths = sorted(path for path in REAL.iterdir() if path.suffix in {".png", ".jpg"})
    modes = set()
    limits = PixelLimits(112 * 112, 2 * 300 * 300)
    for path in paths:
        with Image.open(path) as picture:
            modes.add(picture.mode)
            assert_equal(picture, library, limits)
            wanted = picture_patches(picture, limits)
        np.testing.assert_array_equal(Look(limits).picture(path.read_bytes()).values, wanted.values)
    assert len(paths) >= 20 and len(modes) >= 2


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "CMYK", "LA"])
def test_every_mode_of_a_picture(library, mode):
    assert_equal(drawn(90, 61).convert(mode), library)


def see_through(width: int, height: int) -> Image.Image:
    picture = drawn(width, height)
    picture.putalpha(drawn(width, height, 1, "L"))
    return picture


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pictures_lie_on_white(library, mode):
    assert_equal(see_through(60, 84).convert(mode), library)


def test_a_palette_with_transparency_lies_on_white(library):
    picture = drawn(60, 84).convert("P")
    picture.info["transparency"] = bytes(range(256))
    assert_equal(picture, library)


@pytest.mark.parametrize("picture", [drawn(60, 84), see_through(60, 84)])
def test_decoded_pixels_are_a_picture_too(picture):
    np.testing.assert_array_equal(picture_patches(np.asarray(picture)).values, picture_patches(picture).values)


def stored(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(("kind", "picture"), [("JPEG", drawn(90, 61)), ("PNG", see_through(90, 61))])
def test_a_file_is_what_the_library_makes_of_it(library, kind, picture):
    data = stored(picture, kind)
    wanted = library(Image.open(io.BytesIO(data)), return_tensors="np")
    np.testing.assert_array_equal(Look().picture(data).values, wanted["pixel_values"])


def test_files_of_frames_are_a_video():
    frames = [drawn(56, 84, seed) for seed in range(4)]
    found = Look().video([stored(frame, "PNG") for frame in frames])
    for one, other in zip(found, video_patches(frames), strict=True):
        np.testing.assert_array_equal(one.values, other.values)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "PictureEmpty: "),
        (stored(drawn(90, 61), "JPEG")[:-900], "PictureTruncated: "),
        (stored(drawn(90, 61), "PNG"), "PictureTooLarge: expected at most 5000 pixels"),
    ],
)
def test_a_broken_file_is_a_fault_of_the_sample(data, said):
    with pytest.raises(MediaError, match=said):
        Look(most_pixels=5000 if "Large" in said else 10**6).picture(data)


@given(SIDES, SIDES, st.integers(1, 40), st.integers(1, 200))
def test_a_picture_within_its_limits_and_as_the_library_resizes_it(height, width, least, more):
    from transformers.models.glm4v.image_processing_pil_glm4v import smart_resize

    limits = PixelLimits(least * 784, (least + more) * 784)
    if max(height, width) / min(height, width) > 150:
        return  # slivers have a test of their own
    found = fit_size(height, width, limits)
    assert found == smart_resize(2, height, width, 2, 28, limits.least, limits.most)
    assert count_tokens(height, width, limits) == found[0] * found[1] // 784


@given(st.integers(28, 90), st.integers(28, 90), st.integers(0, 99))
def test_any_small_picture_is_what_the_library_makes_of_it(width, height, seed):
    from transformers import Glm4vImageProcessorPil

    assert_equal(drawn(width, height, seed), Glm4vImageProcessorPil(), PixelLimits(28 * 28, 2 * 84 * 84))


def test_a_sliver_is_a_fault_of_the_sample():
    with pytest.raises(MediaError, match="at most 200 to 1, found 6000x28"):
        picture_patches(drawn(6000, 28))
    with pytest.raises(MediaError, match="at least one pixel, found 0x5"):
        fit_size(5, 0)


@pytest.mark.parametrize("frames", [2, 3, 6])
def test_frames_are_what_the_video_processor_makes_of_them(frames):
    """Of a size that needs no resizing: there its torch and our Pillow differ in the last bit of a colour."""
    pytest.importorskip("torchvision")
    from transformers import Glm4vVideoProcessor

    shown = [drawn(112, 84, seed) for seed in range(frames)]
    size = {"shortest_edge": 28 * 28, "longest_edge": 8 * 112 * 112}
    video = np.stack([np.asarray(frame) for frame in shown])
    wanted = Glm4vVideoProcessor()([video], size=size, do_sample_frames=False, return_tensors="np")
    found = video_patches(shown, PixelLimits(size["shortest_edge"], size["longest_edge"]))
    assert [frame.grid for frame in found] == [(1, 6, 8)] * int(wanted["video_grid_thw"][0][0])
    values = np.concatenate([frame.values for frame in found])
    np.testing.assert_allclose(values, wanted["pixel_values_videos"], atol=1e-6)


def test_a_long_video_is_made_smaller_as_a_whole():
    shown = [drawn(224, 224, seed) for seed in range(8)]
    grids = [frame.grid for frame in video_patches(shown, PixelLimits(784, 8 * 112 * 112))]
    assert grids == [(1, 8, 8)] * 4


def test_a_single_frame_fills_both_slices():
    [found], still = video_patches([drawn(112, 112)]), picture_patches(drawn(112, 112))
    np.testing.assert_array_equal(found.values, still.values)


def test_frames_of_two_sizes_are_no_video():
    with pytest.raises(MediaError, match="found 2 frames of 2 sizes"):
        video_patches([drawn(56, 56), drawn(56, 84)])
    with pytest.raises(MediaError, match="found 0 frames"):
        video_patches([])


@given(st.integers(1, 20_000), st.sampled_from([1.0, 5.0, 23.976, 24.0, 30.0, 59.94]), st.sampled_from([0.5, 2.0]))
def test_frames_and_seconds_are_the_librarys_choice(frames, fps, wanted):
    pytest.importorskip("torchvision")
    from transformers import Glm4vVideoProcessor
    from transformers.video_utils import VideoMetadata

    data = VideoMetadata(total_num_frames=frames, fps=fps)
    data.frames_indices = list(Glm4vVideoProcessor().sample_frames(data, fps=wanted))
    chosen = choose_frames(frames, fps, wanted_fps=wanted)
    assert chosen == data.frames_indices
    assert video_seconds(chosen, fps) == [int(second) for second in data.timestamps[::2]]


def test_a_placeholder_becomes_as_many_as_its_picture_has_tokens():
    ids, kinds = expand_pictures(np.array([1, 9, 2, 9], np.int32), np.array([[1, 4, 6], [1, 2, 2]]), image_id=9)
    assert ids.tolist() == [1, 9, 9, 9, 9, 9, 9, 2, 9] and ids.dtype == np.int32
    assert kinds.tolist() == [0, 1, 1, 1, 1, 1, 1, 0, 1] and kinds.dtype == np.int8


def test_text_alone_stays():
    ids, kinds = expand_pictures(np.array([1, 2], np.int32), np.zeros((0, 3), np.int32), image_id=9)
    assert ids.tolist() == [1, 2] and kinds.tolist() == [0, 0]


def test_pictures_without_a_placeholder_are_refused():
    with pytest.raises(MediaError, match="found 1 for 2"):
        expand_pictures(np.array([1, 9], np.int32), np.array([[1, 2, 2], [1, 2, 2]]), image_id=9)


def test_decoding_workers_need_neither_torch_nor_transformers():
    import subprocess
    import sys

    code = "import sys, train.media, train.positions; print({'torch', 'transformers', 'apache_beam'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
