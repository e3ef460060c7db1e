"""Builds the parity fixtures: tiny, re-randomised models of every family, saved as transformers saves them, with the
reference's outputs, hidden states and attention maps in fp32 (eager) and float64. Usage: make_parity.py OUT_FOLDER.

Nothing is done when OUT_FOLDER already holds the fixtures of these scripts and package versions."""
import hashlib
import json
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent


def cache_key():
    from importlib.metadata import version

    text = "".join(p.read_text() for p in [*sorted(HERE.glob("*.py")), HERE / "vlm" / "vlm_models.py"])
    text += " ".join(version(p) for p in ("torch", "transformers", "safetensors", "numpy"))
    return hashlib.sha256(text.encode()).hexdigest()


def main():
    root = pathlib.Path(sys.argv[1])
    key = cache_key()
    listing = root / "cases.json"
    if listing.exists() and json.loads(listing.read_text()).get("key") == key:
        return
    sys.path.insert(0, str(HERE))
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    import parity_bert
    import parity_language
    import parity_plain
    import parity_prompts
    import parity_storage
    import parity_towers
    import parity_vlm
    from parity_common import Fixtures

    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    fixtures = Fixtures(root)
    for module in (parity_plain, parity_towers, parity_language, parity_prompts, parity_bert, parity_vlm, parity_storage):
        module.build(fixtures)
    fixtures.finish(key)


if __name__ == "__main__":
    main()
