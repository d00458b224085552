"""Packaging of beamsift: a light base, and extras by need."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGES = ("classifiers", "configs", "pipelines", "recaption", "train", "transforms")

BASE = [
    "ada-url>=4,<5",
    "ahocorasick-rs>=1.0.3,<2",
    "apache-beam>=2.77,<2.78",
    "brotli>=1.2",
    "duckdb>=1.4",
    "icu4py>=1.2,<2",
    "isal>=1.9,<2",
    "lxml>=6.1,<7",
    "msgspec>=0.20",
    "numpy>=2",
    "pillow>=12.1.1,<13",
    "py3langid>=0.4",
    "pyarrow>=20,<26",
    "pydantic>=2.11,<3",
    "PyYAML>=6",
    "resiliparse>=2,<3",
    "rich>=14",
    "scipy>=1.15",
    "simplejpeg>=1.9",
    "webencodings>=0.6",
    "xxhash>=3.5",
    "zstandard>=0.25",
]
MODELS = ["torch>=2.13", "torchvision>=0.28", "open_clip_torch>=3.3,<4", "safetensors>=0.6"]
SEMANTIC = [*MODELS, "faiss-cpu>=1.15,<2"]
RECAPTION = [*MODELS, "httpx>=0.28,<1", "transformers>=5.20,<6"]
WEB = ["adblock>=0.6,<0.7", "zxing-cpp>=3.1,<4"]
OCR = ["onnxruntime>=1.20,<2", "rapidocr>=3.10,<3.11"]  # the models of 3.10 are in its wheel, known by name
TRAIN = ["tokenizers>=0.22", "torch>=2.13", "transformers>=5.20,<6"]
OBJECTS = "obstore>=0.12,<0.13"
TEST = [
    OBJECTS,
    *OCR,
    *RECAPTION,
    *SEMANTIC,
    *TRAIN,
    *WEB,
    "apache-beam[gcp]",
    "atheris>=3",
    "boto3",
    "hypothesis",
    "mlcroissant",
    "ImageHash",
    "moto[server]",
    "mypy",
    "psutil",
    "pytest",
    "pytest-cov",
    "pytest-xdist",
    "readability-lxml",
    "ruff",
    "segno",
    "trafilatura",
    "types-PyYAML",
    "warcio",
    "webdataset",
    "wids",
]

setup(
    name="beamsift",
    version="0.1.0",
    description="Raw multimodal crawls to verified training shards, on Apache Beam",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=[pattern for name in PACKAGES for pattern in (name, f"{name}.*")]),
    package_data={
        "configs": ["**/*.yaml"],
        "pipelines": ["*.css", "*.js", "*.html"],
        "recaption": ["*.txt", "*.tsv", "prompts/*.txt"],
        "train": ["*.css"],
    },
    install_requires=BASE,
    extras_require={
        "models": MODELS,
        "semantic": SEMANTIC,
        "aws": [OBJECTS, "boto3"],
        "recaption": RECAPTION,
        "ocr": OCR,
        "gcp": [OBJECTS, "apache-beam[gcp]"],
        "test": TEST,
        "train": TRAIN,
        "web": WEB,
    },
    entry_points={"console_scripts": ["beamsift=pipelines.cli:main"]},
)
