"""Scenes of a C++ generator as tensors, for the trainers of the demo models: builds it, and reads the records it writes."""

import fcntl
import pathlib
import queue
import subprocess
import threading

import numpy as np
import torch

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SIDE, GRID = 224, 14


def build(folder, *sources):
    """Compiles a generator (the first of `sources`, which names it) into the folder and returns the program's path."""
    program = pathlib.Path(folder) / sources[0].stem
    files = [*sources, HERE / "scene_records.cpp", *sorted((ROOT / "core" / "scenes").glob("*.cpp"))]
    flags = "-std=c++20 -O3 -march=native -ffp-contract=off -fno-math-errno -fno-trapping-math -pthread".split()
    includes = ["-I", HERE, "-I", ROOT / "core" / "include", "-I", ROOT / "core"]
    subprocess.run(["g++", *flags, *includes, *files, "-o", program], check=True)
    return program


def load(program, first, count, threads, folder, record):
    """`count` scenes from seed `first` on, as one uint8 tensor [count, record]."""
    path = pathlib.Path(folder) / f"scenes-{first}.raw"
    subprocess.run([program, str(first), str(count), str(SIDE), str(GRID), str(threads), path], check=True)
    records = torch.from_numpy(np.fromfile(path, dtype=np.uint8).reshape(count, record))
    path.unlink()
    return records


class Stream:
    """Endless scenes, made by a process of its own while the GPU trains, kept in a pool on the device. `fields` makes of
    records [n, record] what sample() gives."""

    CHUNK = 256

    def __init__(self, program, first, slots, threads, device, record, fields):
        self.slots = slots // self.CHUNK * self.CHUNK
        self.pool = torch.empty((self.slots, record), dtype=torch.uint8, device=device)
        self.received = 0  # scenes so far; new ones replace the oldest
        self._device, self._fields = device, fields
        self._ready, self._free = queue.Queue(), queue.Queue()
        for _ in range(8):
            self._free.put(torch.empty((self.CHUNK, record), dtype=torch.uint8, pin_memory=device.type == "cuda"))
        self._process = subprocess.Popen(
            [program, str(first), "0", str(SIDE), str(GRID), str(threads), "-"], stdout=subprocess.PIPE, bufsize=0
        )
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            fcntl.fcntl(self._process.stdout, fcntl.F_SETPIPE_SZ, 1 << 20)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            buffer = self._free.get()
            if isinstance(buffer, tuple):  # wait until the device has taken the buffer's last contents
                buffer, event = buffer
                event.synchronize()
            view, done = memoryview(buffer.numpy()).cast("B"), 0
            while done < len(view):
                got = self._process.stdout.readinto(view[done:])
                if not got:
                    return
                done += got
            self._ready.put(buffer)

    def take(self, wait=False):
        """Moves what has arrived into the pool; with `wait`, at least one chunk."""
        while wait or not self._ready.empty():
            wait = False
            buffer = self._ready.get()
            start = self.received % self.slots
            self.pool[start : start + self.CHUNK].copy_(buffer, non_blocking=True)
            self.received += self.CHUNK
            if self._device.type == "cuda":
                event = torch.cuda.Event()
                event.record()
                buffer = (buffer, event)
            self._free.put(buffer)

    def sample(self, count):
        index = torch.randint(min(self.received, self.slots), (count,), device=self._device)
        return self._fields(self.pool[index])

    def close(self):
        self._process.kill()
        self._process.wait()
