"""The one screen of names works in any order of import, and costs nothing until it is used."""

import subprocess
import sys

import psmooth


def test_every_public_name_is_there():
    assert all(getattr(psmooth, name) is not None for name in psmooth.__all__)


def test_certify_can_be_called_after_its_module_was_imported():
    script = (
        "import psmooth.smoothing.certification, psmooth\n"
        "for _ in range(2):\n"
        "    try: psmooth.certify(None, None, task='a', noise_level=0)\n"
        "    except psmooth.PsmoothError as error: print('noise_level' in str(error))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]


def test_verifying_loads_no_network_library():
    script = "import psmooth, sys; psmooth.verify; print('torch' in sys.modules, 'gradio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
