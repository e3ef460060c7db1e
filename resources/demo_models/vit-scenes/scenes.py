"""Scenes from the C++ generator as tensors: builds scene_dataset.cpp and reads its records."""

import fcntl
import pathlib
import queue
import subprocess
import threading

import numpy as np
import torch

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SIDE, GRID = 224, 14
RECORD = 2 + GRID * GRID + SIDE * SIDE * 3
HELD_OUT = 10**15  # first seed of the scenes no training sees


def build(folder):
    """Compiles the generator into the folder and returns the program's path."""
    program = pathlib.Path(folder) / "scene_dataset"
    sources = sorted(str(p) for p in (ROOT / "core" / "scenes").glob("*.cpp"))
    flags = "-std=c++20 -O3 -march=native -ffp-contract=off -fno-math-errno -fno-trapping-math -pthread".split()
    includes = ["-I", str(ROOT / "core" / "include"), "-I", str(ROOT / "core")]
    subprocess.run(["g++", *flags, *includes, str(HERE / "scene_dataset.cpp"), *sources, "-o", str(program)], check=True)
    return program


def class_names(program):
    return subprocess.run([program, "names"], check=True, capture_output=True, text=True).stdout.split("\n")[:-1]


def load(program, first, count, threads, folder):
    """`count` scenes from seed `first` on, as one uint8 tensor [count, RECORD]."""
    path = pathlib.Path(folder) / f"scenes-{first}.raw"
    subprocess.run([program, str(first), str(count), str(SIDE), str(GRID), str(threads), str(path)], check=True)
    records = torch.from_numpy(np.fromfile(path, dtype=np.uint8).reshape(count, RECORD))
    path.unlink()
    return records


def split(records):
    """Records to labels [n], coverage of the target [n, GRID * GRID] in 0..1 and images uint8 [n, 3, SIDE, SIDE]."""
    labels = records[:, 0].long() + 256 * records[:, 1].long()
    coverage = records[:, 2 : 2 + GRID * GRID].float() / 255
    images = records[:, 2 + GRID * GRID :].reshape(-1, SIDE, SIDE, 3).permute(0, 3, 1, 2)
    return labels, coverage, images


class Stream:
    """Endless scenes, made by a process of its own while the GPU trains, kept in a pool on the device."""

    CHUNK = 256

    def __init__(self, program, first, slots, threads, device):
        self.pool = torch.empty((slots, RECORD), dtype=torch.uint8, device=device)
        self.filled = 0  # slots of the pool that hold a scene
        self.received = 0  # scenes so far
        self._device = device
        self._ready, self._free = queue.Queue(), queue.Queue()
        for _ in range(8):
            self._free.put(torch.empty((self.CHUNK, RECORD), dtype=torch.uint8, pin_memory=device.type == "cuda"))
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
            start = self.received % (len(self.pool) // self.CHUNK * self.CHUNK)
            self.pool[start : start + self.CHUNK].copy_(buffer, non_blocking=True)
            self.received += self.CHUNK
            self.filled = max(self.filled, start + self.CHUNK)
            if self._device.type == "cuda":
                event = torch.cuda.Event()
                event.record()
                self._free.put((buffer, event))
            else:
                self._free.put(buffer)

    def sample(self, count):
        index = torch.randint(self.filled, (count,), device=self._device)
        return split(self.pool[index])

    def close(self):
        self._process.kill()
        self._process.wait()
