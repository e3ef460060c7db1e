"""Runs fovea-cli as a user does and looks at what comes out. Standard library and, where there is one, numpy."""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

CLI = os.environ.get("FOVEA_CLI", "fovea-cli")
SOURCE = pathlib.Path(os.environ.get("FOVEA_SOURCE", pathlib.Path(__file__).resolve().parents[2]))

# The tests compare arrays with numpy: go on in the test environment when this interpreter has none.
try:
    import numpy as np
except ImportError:
    for python in (os.environ.get("FOVEA_TEST_PYTHON"), SOURCE / "build/venv/bin/python"):
        if python and os.path.exists(python) and not os.environ.get("FOVEA_TEST_REEXEC"):
            os.environ["FOVEA_TEST_REEXEC"] = "1"
            os.execv(str(python), [str(python), *sys.argv])
    raise


class Result:
    def __init__(self, process):
        self.code = process.returncode
        self.out = process.stdout.decode("utf-8", "replace")
        self.err = process.stderr.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.out)


def read_safetensors(path):
    """Names to arrays, and the metadata, by the format's specification."""
    types = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "?"}
    data = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    metadata = header.pop("__metadata__", {})
    arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        raw = data[8 + size + begin:8 + size + end]
        if entry["dtype"] == "BF16":
            wide = np.frombuffer(raw, "<u2").astype("<u4") << 16
            arrays[name] = wide.view("<f4").reshape(entry["shape"])
        else:
            arrays[name] = np.frombuffer(raw, types[entry["dtype"]]).reshape(entry["shape"])
    return arrays, metadata


def write_safetensors(path, arrays, metadata=None):
    types = {"float32": "F32", "int64": "I64", "int32": "I32", "float64": "F64"}
    header, offset, blobs = {}, 0, []
    for name, array in arrays.items():
        blob = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": types[str(array.dtype)], "shape": list(array.shape),
                        "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    if metadata:
        header["__metadata__"] = metadata
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def write_ppm(path, width, height, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    pathlib.Path(path).write_bytes(b"P6\n%d %d\n255\n" % (width, height) + pixels.tobytes())


def png_text(path):
    """The text chunks of a PNG file by keyword."""
    data, at, texts = pathlib.Path(path).read_bytes(), 8, {}
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8:at + 8 + length]
        if kind in (b"tEXt", b"iTXt"):
            key, _, rest = body.partition(b"\0")
            texts[key.decode()] = (rest if kind == b"tEXt" else rest[2:].split(b"\0", 2)[2]).decode("utf-8")
        at += 12 + length
    return texts


class CliTest(unittest.TestCase):
    """A temporary folder as working directory, and helpers for the contracts of PRODUCT.md §4."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fovea_cli_"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def environment(self):
        names = ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME")
        return {**os.environ, **{name: str(self.folder / "no-cache") for name in names}}

    def cli(self, *arguments, timeout=300):
        process = subprocess.run([CLI, *map(str, arguments)], cwd=self.folder, env=self.environment(),
                                 capture_output=True, timeout=timeout)
        return Result(process)

    def ok(self, *arguments):
        result = self.cli(*arguments)
        self.assertEqual(result.code, 0, f"{arguments}\n{result.out}\n{result.err}")
        return result

    def fails(self, code, *arguments):
        """Exit code, error form, and that --json says the same on standard output."""
        result = self.cli(*arguments)
        context = f"{arguments}\n{result.out}\n{result.err}"
        self.assertEqual(result.code, code, context)
        lines = result.err.splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, context)
        self.assertGreater(len(errors[0]), len("error: ") + 5, context)
        if "--json" in arguments:
            error = result.json()["error"]
            self.assertEqual(set(error), {"what", "hint", "code"})
            self.assertEqual(error["code"], code)
            self.assertEqual("error: " + error["what"], "\n".join(lines[lines.index(errors[0]):]).split("\nhint: ")[0])
        else:
            self.assertEqual(result.out, "", context)
        return result

    def session(self, name="s.fovea.json", **changes):
        document = {"schema": 1, "model": {"reference": "demo:vit"}, "input": {"images": ["scene:7"]},
                    "analyses": [{"id": "attention_from"}], "pictures": [{"analysis": 0, "file": "map.svg"}], **changes}
        path = self.folder / name
        path.write_text(json.dumps(document))
        return path

    def leftovers(self):
        return [p for p in self.folder.rglob("*") if p.is_file() and ("part" in p.name or "tmp" in p.name)]
