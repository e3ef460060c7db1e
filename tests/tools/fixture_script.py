"""How the scripts that make fixtures begin: is anything to be done, and a quiet torch that repeats itself."""
import hashlib
import json
import pathlib
import shutil
import sys
from importlib.metadata import version

HERE = pathlib.Path(__file__).resolve().parent


def folder_to_fill(sources, packages=()):
    """The folder that the command line names, and the key of what goes into its cases.json: of the scripts in `sources`,
    of those that all fixtures share, and of the packages' versions. Ends the program where the folder has that key."""
    root = pathlib.Path(sys.argv[1])
    files = sorted({*map(pathlib.Path, sources), HERE / "fixture_script.py", HERE / "parity_common.py"})
    text = "".join(p.read_text() for p in files)
    text += " ".join(version(p) for p in ("torch", "transformers", *packages))
    key = hashlib.sha256(text.encode()).hexdigest()
    listing = root / "cases.json"
    if listing.exists() and json.loads(listing.read_text()).get("key") == key:
        sys.exit(0)
    return root, key


def begin(root):
    """Empties the folder; torch and transformers say nothing, keep no gradients and add up in one order."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
