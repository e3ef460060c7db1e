"""Builds the parity fixtures: tiny, re-randomised models of every family, saved as transformers saves them, with the
reference's outputs, hidden states and attention maps in fp32 (eager) and float64. Usage: make_parity.py OUT_FOLDER.

Nothing is done when OUT_FOLDER already holds the fixtures of these scripts and package versions."""
import pathlib

from fixture_script import begin, folder_to_fill

HERE = pathlib.Path(__file__).resolve().parent


def main():
    root, key = folder_to_fill([*HERE.glob("*.py"), HERE / "vlm" / "vlm_models.py"], ["safetensors", "numpy"])
    begin(root)
    import parity_bert
    import parity_language
    import parity_plain
    import parity_prompts
    import parity_storage
    import parity_towers
    import parity_vlm
    from parity_common import Fixtures

    fixtures = Fixtures(root)
    for module in (parity_plain, parity_towers, parity_language, parity_prompts, parity_bert, parity_vlm, parity_storage):
        module.build(fixtures)
    fixtures.finish(key)


if __name__ == "__main__":
    main()
