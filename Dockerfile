# psmooth for a laptop at a booth or a hospital's server: the pocket models work without a network.
#   docker build -t psmooth .                                                         for CPUs
#   docker build -t psmooth --build-arg TORCH="--require-hashes -r torch.lock" .      for NVIDIA; run it with --gpus all
#   docker run -p 7860:7860 -v psmooth-cache:/home/psmooth/.cache psmooth             what was downloaded stays in the volume
#   docker run -p 7860:7860 -v psmooth-cache:/home/psmooth/.cache -e HF_HUB_OFFLINE=1 psmooth      asks no network at all
#   docker run -p 7860:7860 -e PSMOOTH_TYPED_MODELS=1 psmooth                         visitors may name models of the Hub
# Dependencies are those of the lock, by hash; `make lock` renews it. PyTorch for CPUs comes from an index of its own, by
# version. The image is named by a tag, which moves; a build that can be repeated names its digest, which
# `docker buildx imagetools inspect python:3.12-slim` prints: --build-arg PYTHON_IMAGE=python:3.12-slim@sha256:DIGEST
ARG PYTHON_IMAGE=python:3.12-slim
FROM ${PYTHON_IMAGE}
ARG TORCH="--index-url https://download.pytorch.org/whl/cpu -c constraints.txt torch torchvision"
RUN useradd --create-home psmooth && install -d -o psmooth /home/psmooth/.cache
WORKDIR /opt/psmooth
COPY requirements.txt constraints.txt requirements.lock torch.lock ./
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock
RUN pip install --no-cache-dir --no-deps ${TORCH}
COPY app.py README.md LICENSE ./
COPY assets ./assets
COPY prompts ./prompts
COPY psmooth ./psmooth
ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860 HF_HOME=/home/psmooth/.cache/huggingface PYTHONUNBUFFERED=1 PSMOOTH_TYPED_MODELS=0
USER psmooth
EXPOSE 7860
VOLUME /home/psmooth/.cache
HEALTHCHECK --start-period=90s --timeout=10s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/', timeout=5)"]
CMD ["python", "app.py"]
