from __future__ import annotations

import subprocess
import sys


def test_the_name_of_the_note_is_known_without_torch() -> None:
    code = (
        "import sys\n"
        "from paring.models.onnx_note import NOTE\n"
        "assert NOTE == 'paring_layers'  # files that were written before have it\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
