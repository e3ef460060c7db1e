"""Scenes with questions from the C++ generator as tensors: builds vlm_dataset.cpp and reads its records."""

import fcntl
import pathlib
import queue
import subprocess
import threading

import numpy as np
import torch

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SIDE, GRID, MOST, SLOTS = 224, 14, 9, 18
CELLS = GRID * GRID
HEAD = 49 + 5 * SLOTS
IMAGE = HEAD + MOST * CELLS
RECORD = IMAGE + SIDE * SIDE * 3
HELD_OUT = 3 * 10**15  # first seed of the scenes no training sees; training starts at seed * 10**9
NONE = 255


def build(folder):
    """Compiles the generator into the folder and returns the program's path."""
    program = pathlib.Path(folder) / "vlm_dataset"
    sources = [HERE / "vlm_dataset.cpp", HERE / "ask.cpp", *sorted((ROOT / "core" / "scenes").glob("*.cpp"))]
    flags = "-std=c++20 -O3 -march=native -ffp-contract=off -fno-math-errno -fno-trapping-math -pthread".split()
    includes = ["-I", ROOT / "core" / "include", "-I", ROOT / "core"]
    subprocess.run(["g++", *flags, *includes, *sources, "-o", program], check=True)
    return program


def load(program, first, count, threads, folder):
    """`count` scenes from seed `first` on, as one uint8 tensor [count, RECORD]."""
    path = pathlib.Path(folder) / f"scenes-{first}.raw"
    subprocess.run([program, str(first), str(count), str(SIDE), str(GRID), str(threads), path], check=True)
    records = torch.from_numpy(np.fromfile(path, dtype=np.uint8).reshape(count, RECORD))
    path.unlink()
    return records


class Batch:
    """The fields of records [n, RECORD] (see vlm_dataset.cpp)."""

    def __init__(self, records):
        n = len(records)
        self.count = records[:, 0].long()
        self.gap = records[:, 2]
        self.visible = records[:, 3]
        objects = records[:, 4:49].reshape(n, 5, MOST)
        self.classes = objects[:, 0].long()
        self.centers = objects[:, 1:3].float().transpose(1, 2) / 255  # [n, MOST, 2], x and y in 0..1
        self.anchors = objects[:, 3].long()
        self.order = objects[:, 4].long()
        slots = records[:, 49:HEAD].reshape(n, SLOTS, 5).long()
        self.kind = slots[..., 0]
        self.text = slots[..., 1] + 256 * slots[..., 2]
        self.answer = slots[..., 3]
        self.object = slots[..., 4]
        self.coverage = records[:, HEAD:IMAGE].reshape(n, MOST, CELLS)
        self.images = records[:, IMAGE:].reshape(n, SIDE, SIDE, 3).permute(0, 3, 1, 2)


def pixels(images):
    """What the folder's image processor makes of images of SIDE x SIDE pixels."""
    return images.float() / 127.5 - 1


class Stream:
    """Endless scenes, made by a process of its own while the GPU trains, kept in a pool on the device."""

    CHUNK = 256

    def __init__(self, program, first, slots, threads, device):
        self.slots = slots // self.CHUNK * self.CHUNK
        self.pool = torch.empty((self.slots, RECORD), dtype=torch.uint8, device=device)
        self.received = 0
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
        return Batch(self.pool[index])

    def close(self):
        self._process.kill()
        self._process.wait()
