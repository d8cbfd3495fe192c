# psmooth for a laptop at a booth or a hospital's server: the pocket models work without a network.
#   docker build -t psmooth .                                              CPU
#   docker build -t psmooth --build-arg TORCH_INDEX=https://pypi.org/simple .   NVIDIA, run with --gpus all
#   docker run -p 7860:7860 -v psmooth-cache:/home/psmooth/.cache psmooth
FROM python:3.12-slim
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN useradd --create-home psmooth
WORKDIR /home/psmooth/app
COPY requirements.txt constraints.txt ./
RUN pip install --no-cache-dir torch torchvision --index-url ${TORCH_INDEX} -c constraints.txt \
    && pip install --no-cache-dir -r requirements.txt -c constraints.txt
COPY . .
RUN mkdir -p /home/psmooth/.cache && chown -R psmooth /home/psmooth
USER psmooth
ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860 HF_HOME=/home/psmooth/.cache/huggingface
EXPOSE 7860
VOLUME /home/psmooth/.cache
HEALTHCHECK --start-period=60s CMD python -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/', timeout=5)"
CMD ["python", "app.py"]
