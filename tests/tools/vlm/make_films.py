"""Whole model folders with prompts and films, and what transformers' processors and models make of the same frames.
Usage: make_films.py OUT_FOLDER. Nothing is done when the fixtures are there already."""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from fixture_script import begin, folder_to_fill  # noqa: E402

STUB = HERE.parent.parent / "images"


def main():
    root, key = folder_to_fill([*HERE.glob("*.py"), STUB / "torchvision_stub.py"])
    sys.path.insert(0, str(STUB))
    import torchvision_stub

    torchvision_stub.install()
    begin(root)
    import numpy as np
    import torch
    import transformers.models.smolvlm.processing_smolvlm as smolvlm
    from PIL import Image
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
    from transformers.models.internvl.processing_internvl import InternVLProcessor
    from transformers.models.internvl.video_processing_internvl import InternVLVideoProcessor
    from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil
    from transformers.models.llava_onevision.processing_llava_onevision import LlavaOnevisionProcessor
    from transformers.models.llava_onevision.video_processing_llava_onevision import LlavaOnevisionVideoProcessor
    from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
    from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
    from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor
    from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor
    from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor
    from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil
    from transformers.models.smolvlm.video_processing_smolvlm import SmolVLMVideoProcessor
    import vlm_models as m
    from prompt_folders import ppm, save_folder, save_reference, tokenizer

    smolvlm.SmolVLMProcessor.validate_inputs = lambda *_, **__: None  # counts the frames of a film as films
    smolvlm.num2words = lambda n: {1: "one", 3: "three", 4: "four", 5: "five"}[n]  # the package is only asked for these
    random = np.random.default_rng(11)
    cases = []

    def frames(count, width, height):
        return [random.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]

    def case(name, family, model, processor, prompt, clip, fps=24, step=1, images=None):
        folder = root / name
        save_folder(folder / "model", model, processor)
        total = len(clip) * step
        film = {"total_num_frames": total, "fps": fps, "duration": total / fps, "frames_indices": [i * step for i in range(len(clip))]}
        stills = {"images": [Image.fromarray(x) for x in images]} if images else {}
        inputs = dict(processor(text=[prompt], videos=[np.stack(clip)], video_metadata=[dict(film)], do_sample_frames=False,
                                return_tensors="pt", **stills))
        if "second_per_grid_ts" in inputs:
            inputs["second_per_grid_ts"] = torch.as_tensor(inputs["second_per_grid_ts"])
        assert (family == "qwen2_5_vl") == ("second_per_grid_ts" in inputs)
        inputs = {k: v for k, v in inputs.items() if isinstance(v, torch.Tensor) and k != "num_crops"}
        save_reference(folder / "reference.safetensors", model, inputs)
        answer = model.generate(**inputs, max_new_tokens=20, do_sample=False, pad_token_id=0)[0, inputs["input_ids"].shape[1]:]
        for i, picture in enumerate(clip):
            ppm(folder / f"frame{i}.ppm", picture)
        for i, picture in enumerate(images or []):
            ppm(folder / f"{i}.ppm", picture)
        cases.append({"name": name, "family": family, "prompt": prompt, "frames": len(clip), "images": len(images or []),
                      "film": film, "answer": answer.tolist()})

    qwen = {"<|image_pad|>": 100, "<|video_pad|>": 103, "<|vision_start|>": 104, "<|vision_end|>": 105}
    tok = tokenizer(qwen, "<bos>", {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>",
                                    "vision_start_token": "<|vision_start|>", "vision_end_token": "<|vision_end|>"})
    still, slot = "<|vision_start|><|image_pad|><|vision_end|>", "<|vision_start|><|video_pad|><|vision_end|>"
    sides = dict(patch_size=4, merge_size=2, temporal_patch_size=2)
    for family, make, wrap, films in (("qwen2_vl", m.qwen2_vl, Qwen2VLProcessor, Qwen2VLVideoProcessor),
                                      ("qwen2_5_vl", m.qwen2_5_vl, Qwen2_5_VLProcessor, Qwen2VLVideoProcessor),
                                      ("qwen3_vl", m.qwen3_vl, Qwen3VLProcessor, Qwen3VLVideoProcessor)):
        source = Qwen2VLImageProcessorPil(**sides, size={"shortest_edge": 256, "longest_edge": 4096})
        film = films(**sides, size={"shortest_edge": 512, "longest_edge": 8192})
        case(family, family, make(171), wrap(source, tok, film), f"w9 {slot} w7", frames(4, 48, 40), fps=12, step=6)
        case(family + "-odd", family, make(172), wrap(source, tok, film), f"{slot} w7 w12", frames(5, 33, 70), fps=1)
        case(family + "-both", family, make(173), wrap(source, tok, film), f"w9 {slot} w4 {still} w7", frames(4, 50, 40),
             images=frames(1, 40, 52))
    siglip = dict(size={"height": 32, "width": 32}, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    tok = tokenizer({"<image>": 100, "<video>": 103}, "<bos>", {"image_token": "<image>", "video_token": "<video>"})
    grids = [[32, 32], [32, 64], [64, 32], [64, 64]]
    for name, tower, tokens, clip, more in (("llava_onevision", None, 16, frames(3, 61, 40), {}),
                                            ("llava_onevision-odd", dict(image_size=40), 25, frames(4, 33, 70), {}),
                                            ("llava_onevision-both", None, 16, frames(3, 61, 40), {"images": frames(1, 44, 70)})):
        size = dict(siglip, size={"height": 40, "width": 40} if tower else siglip["size"])
        own = [[40, 40], [40, 80]] if tower else grids
        model = m.build("LlavaOnevisionForConditionalGeneration",
                        m.config("LlavaOnevisionConfig", vision_config=m.siglip(**(tower or {})),
                                 text_config=m.config("Qwen2Config", **m.TEXT), image_token_index=100, video_token_index=103,
                                 image_grid_pinpoints=own), 174)
        processor = LlavaOnevisionProcessor(LlavaOnevisionImageProcessorPil(**size, image_grid_pinpoints=own), tok,
                                            LlavaOnevisionVideoProcessor(**size), num_image_tokens=tokens,
                                            vision_feature_select_strategy="full")
        text = "w9 <image> w4 <video> w7" if more else "w9 <video> w7"
        case(name, "llava_onevision", model, processor, text, clip, **more)
    internvl = {"<IMG_CONTEXT>": 100, "<img>": 101, "</img>": 102, "<video>": 103}
    tok = tokenizer(internvl, "<bos>", {"start_image_token": "<img>", "end_image_token": "</img>",
                                        "context_image_token": "<IMG_CONTEXT>", "video_token": "<video>"})
    source = GotOcr2ImageProcessorPil(size={"height": 32, "width": 32}, crop_to_patches=True, min_patches=1, max_patches=4)
    case("internvl", "internvl", m.internvl(175), InternVLProcessor(source, tok, InternVLVideoProcessor(
        size={"height": 32, "width": 32}), image_seq_length=4), "w9 <video> w7", frames(3, 61, 40))
    rows = {f"<row_{r}_col_{c}>": 112 + 2 * (r - 1) + c - 1 for r in (1, 2) for c in (1, 2)}
    idefics = {"<image>": 100, "<video>": 103, "<fake_token_around_image>": 110, "<global-img>": 111, "<end_of_utterance>": 109} | rows
    tok = tokenizer(idefics, "<bos>", {"image_token": "<image>", "video_token": "<video>",
                                       "fake_image_token": "<fake_token_around_image>", "global_image_token": "<global-img>"})
    for name, longest, clip in (("smolvlm", 64, frames(4, 61, 40)), ("smolvlm-exact", 32, frames(3, 32, 32))):
        shrunk = dict(size={"longest_edge": longest}, max_image_size={"longest_edge": 32})
        case(name, "smolvlm", m.idefics("SmolVLM", 176), smolvlm.SmolVLMProcessor(
            SmolVLMImageProcessorPil(**shrunk), tok, SmolVLMVideoProcessor(**shrunk), image_seq_len=4), "w9 <video> w7", clip,
            fps=2)
    (root / "cases.json").write_text(json.dumps({"key": key, "cases": cases}, indent=1))


if __name__ == "__main__":
    main()
