"""Scenes from the C++ generator as tensors: builds scene_dataset.cpp and reads its records."""

import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import scene_stream  # noqa: E402
from scene_stream import GRID, SIDE  # noqa: E402

RECORD = 2 + GRID * GRID + SIDE * SIDE * 3
HELD_OUT = 10**15  # first seed of the scenes no training sees


def build(folder):
    """Compiles the generator into the folder and returns the program's path."""
    return scene_stream.build(folder, HERE / "scene_dataset.cpp")


def class_names(program):
    return subprocess.run([program, "names"], check=True, capture_output=True, text=True).stdout.split("\n")[:-1]


def load(program, first, count, threads, folder):
    """`count` scenes from seed `first` on, as one uint8 tensor [count, RECORD]."""
    return scene_stream.load(program, first, count, threads, folder, RECORD)


def split(records):
    """Records to labels [n], coverage of the target [n, GRID * GRID] in 0..1 and images uint8 [n, 3, SIDE, SIDE]."""
    labels = records[:, 0].long() + 256 * records[:, 1].long()
    coverage = records[:, 2 : 2 + GRID * GRID].float() / 255
    images = records[:, 2 + GRID * GRID :].reshape(-1, SIDE, SIDE, 3).permute(0, 3, 1, 2)
    return labels, coverage, images


def stream(program, first, slots, threads, device):
    """Endless scenes from seed `first` on (scene_stream.Stream), sampled as split() gives them."""
    return scene_stream.Stream(program, first, slots, threads, device, RECORD, split)
