"""A client of the served page."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client
from PIL import Image

from tests.serving import Server, serve


@pytest.fixture(scope="session")
def server(models_served: str) -> Server:
    return serve(models_served)


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[Client]:
    client = Client(server.url, verbose=False, download_files=False)
    yield client
    client.close()


@pytest.fixture
def scan_file(tmp_path: Path) -> Path:
    """A scan with a name that must not turn up anywhere."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    path = tmp_path / "jane-doe-1970.png"
    path.write_bytes(file.getvalue())
    return path
