"""What run.py and vlm.py share: the server that measures our half, and what a report says about the machine."""

import json
import os
import pathlib
import platform
import subprocess


class Server:
    """A bench server: one process, one JSON object a line in and one out (server.h)."""

    def __init__(self, binary, *arguments, threads):
        self.binary = str(binary)
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
        self.process = subprocess.Popen([self.binary, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=environment)

    def ask(self, do, **fields):
        self.process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{pathlib.Path(self.binary).name} stopped at {do!r}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def quiet_reference(threads):
    """torch with so many threads; transformers says nothing. Gives their versions."""
    import torch
    import transformers

    torch.set_num_threads(threads)
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return {"torch": torch.__version__, "transformers": transformers.__version__}


def cpu_name():
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
