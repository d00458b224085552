# syntax=docker/dockerfile:1
# The image of a worker, on Dataflow, on Flink or in any pool: beamsift, all that it needs, and Beam's entry point, so
# that a worker starts without pip. One image serves machines with and without a GPU: torch's wheels bring CUDA, the
# machine brings the driver. What is installed is the tested set, constraints.txt.
# Left out on purpose: Beam's SDK image as the base, which has other versions of half of these packages and 100 more;
# an nvidia/cuda base, a second CUDA beside torch's own; a USER, because Dataflow mounts folders of root; weights, which
# come by path (below).

# Empty, unless `--build-context weights=FOLDER` puts a folder's files into /models.
FROM scratch AS weights

# Beam's entry point; the version is that of constraints.txt.
FROM apache/beam_python3.11_sdk:2.77.0 AS beam

FROM python:3.11-slim-bookworm

# `aws,gcp` makes an image of a fifth of the size, for runs with relevance.enabled=false.
ARG EXTRAS=models,aws,gcp
# An index with other builds of torch, such as PyTorch's own for CPUs.
ARG PIP_EXTRA_INDEX_URL=

# Beam starts a process per core: threads of a library inside one would fight over it. torch has relevance.threads.
# Without the third Beam makes a virtual environment at each start. The driver lies where Dataflow mounts it.
ENV OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1 \
    RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PATH=/usr/local/nvidia/bin:$PATH \
    LD_LIBRARY_PATH=/usr/local/nvidia/lib:/usr/local/nvidia/lib64

WORKDIR /opt/beamsift

# Gigabytes that change with these three files only: a package without modules still names what it needs.
COPY setup.py pyproject.toml constraints.txt ./
RUN touch README.md \
    && pip install --no-cache-dir --constraint constraints.txt ".[$EXTRAS]"

COPY README.md LICENSE ./
COPY classifiers classifiers
COPY configs configs
COPY pipelines pipelines
COPY recaption recaption
COPY train train
COPY transforms transforms
# The modules go where Python looks for them; a second copy in the working folder would be found first.
RUN pip install --no-cache-dir --no-deps --force-reinstall . \
    && rm -rf classifiers configs pipelines recaption train transforms build beamsift.egg-info \
    && pip check \
    && beamsift --help

COPY --from=weights / /models/
COPY --from=beam /opt/apache/beam /opt/apache/beam
ENTRYPOINT ["/opt/apache/beam/boot"]
