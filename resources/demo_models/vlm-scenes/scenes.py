"""Scenes with questions from the C++ generator as tensors: builds vlm_dataset.cpp and reads its records."""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import scene_stream  # noqa: E402
from scene_stream import GRID, SIDE  # noqa: E402

MOST, SLOTS = 9, 18
CELLS = GRID * GRID
HEAD = 49 + 5 * SLOTS
IMAGE = HEAD + MOST * CELLS
RECORD = IMAGE + SIDE * SIDE * 3
HELD_OUT = 3 * 10**15  # first seed of the scenes no training sees; training starts at seed * 10**9
NONE = 255


def build(folder):
    """Compiles the generator into the folder and returns the program's path."""
    return scene_stream.build(folder, HERE / "vlm_dataset.cpp", HERE / "ask.cpp")


def load(program, first, count, threads, folder):
    """`count` scenes from seed `first` on, as one uint8 tensor [count, RECORD]."""
    return scene_stream.load(program, first, count, threads, folder, RECORD)


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


def stream(program, first, slots, threads, device):
    """Endless scenes from seed `first` on (scene_stream.Stream), sampled as batches."""
    return scene_stream.Stream(program, first, slots, threads, device, RECORD, Batch)
