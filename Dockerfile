# psmooth for a laptop at a booth or a hospital's server: the pocket models work without a network.
# The index comes beside PyPI: of two torches of one version pip takes the one marked +cpu, and all else is had anyway.
#   docker build -t psmooth .                                                         for CPUs
#   docker build -t psmooth --build-arg TORCH_INDEX=https://pypi.org/simple .         for NVIDIA; run it with --gpus all
#   docker run -p 7860:7860 -v psmooth-cache:/home/psmooth/.cache psmooth             what was downloaded stays in the volume
#   docker run -p 7860:7860 -v psmooth-cache:/home/psmooth/.cache -e HF_HUB_OFFLINE=1 psmooth      asks no network at all
FROM python:3.12-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN useradd --create-home psmooth && install -d -o psmooth /home/psmooth/.cache
WORKDIR /opt/psmooth
COPY requirements.txt constraints.txt ./
RUN pip install --no-cache-dir --extra-index-url ${TORCH_INDEX} -c constraints.txt -r requirements.txt
COPY app.py README.md LICENSE ./
COPY assets ./assets
COPY prompts ./prompts
COPY psmooth ./psmooth
ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860 HF_HOME=/home/psmooth/.cache/huggingface PYTHONUNBUFFERED=1
USER psmooth
EXPOSE 7860
VOLUME /home/psmooth/.cache
HEALTHCHECK --start-period=90s --timeout=10s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/', timeout=5)"]
CMD ["python", "app.py"]
