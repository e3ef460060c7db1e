"""Whole model folders (weights, tokenizer, processor) with prompts and pictures, and what transformers' processors and
models make of them. Usage: make_prompts.py OUT_FOLDER. Nothing is done when the fixtures are there already."""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from fixture_script import begin, folder_to_fill  # noqa: E402


def main():
    root, key = folder_to_fill(HERE.glob("*.py"))
    begin(root)
    import numpy as np
    import torch
    from PIL import Image
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
    from transformers.models.blip.processing_blip import BlipProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
    from transformers.models.gemma3.processing_gemma3 import Gemma3Processor
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
    from transformers.models.idefics3.processing_idefics3 import Idefics3Processor
    from transformers.models.internvl.processing_internvl import InternVLProcessor
    from transformers.models.llava.processing_llava import LlavaProcessor
    from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
    from transformers.models.llava_next.processing_llava_next import LlavaNextProcessor
    from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil
    from transformers.models.llava_onevision.processing_llava_onevision import LlavaOnevisionProcessor
    from transformers.models.mllama.image_processing_pil_mllama import MllamaImageProcessorPil
    from transformers.models.mllama.processing_mllama import MllamaProcessor
    from transformers.models.paligemma.processing_paligemma import PaliGemmaProcessor
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
    from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
    import vlm_models as m
    from prompt_folders import ppm, save_folder, save_reference, tokenizer

    random = np.random.default_rng(7)
    cases = []

    def pictures(*sizes):
        return [random.integers(0, 256, (h, w, 3), dtype=np.uint8) for w, h in sizes]

    def case(name, family, model, processor, prompt, images, nested=False, adapt=None, logits=None, **call):
        """`adapt` changes the processor's tensors as the model's generate() does, `logits` is what gives them."""
        folder = root / name
        save_folder(folder / "model", model, processor)
        given = [Image.fromarray(x) for x in images]
        inputs = dict(processor(text=prompt, images=[given] if nested else given, return_tensors="pt", **call))
        inputs = {k: v for k, v in inputs.items() if isinstance(v, torch.Tensor) and k not in ("labels", "num_crops")}
        save_reference(folder / "reference.safetensors", model, adapt(inputs) if adapt else inputs, logits)
        for i, image in enumerate(images):
            ppm(folder / f"{i}.ppm", image)
        cases.append({"name": name, "family": family, "prompt": prompt, "images": len(images)})

    clip = dict(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    image_token = {"<image>": 100}
    llava_tok = tokenizer(image_token, named={"image_token": "<image>"})
    for name, sizes in (("llava-square", [(64, 64)]), ("llava-wide", [(97, 41)]), ("llava-two", [(40, 50), (33, 32)])):
        slots = " w4 ".join(["<image>"] * len(sizes))
        case(name, "llava", m.llava(71), LlavaProcessor(CLIPImageProcessorPil(**clip), llava_tok, patch_size=8,
             vision_feature_select_strategy="default", num_additional_image_tokens=1), f"w9 {slots} w7 w8", pictures(*sizes))
    for name, size in (("llava_next-wide", (150, 61)), ("llava_next-tall", (31, 90)), ("llava_next-square", (70, 66))):
        source = LlavaNextImageProcessorPil(**clip, image_grid_pinpoints=[[32, 64], [64, 32], [64, 64]])
        case(name, "llava_next", m.llava_next(72), LlavaNextProcessor(source, llava_tok, patch_size=8,
             vision_feature_select_strategy="default", num_additional_image_tokens=1), "w9 <image> w7 w8", pictures(size))
    siglip = dict(size={"height": 32, "width": 32}, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    bos_tok = tokenizer(image_token, bos="<bos>", named={"image_token": "<image>"})
    for name, size in (("paligemma-wide", (97, 41)), ("paligemma-small", (20, 17))):
        source = SiglipImageProcessorPil(**siglip)
        source.image_seq_length = 16
        case(name, "paligemma", m.paligemma(73), PaliGemmaProcessor(source, bos_tok), "<image>w9 w7", pictures(size))
    soft = {"<image_soft_token>": 100, "<start_of_image>": 101, "<end_of_image>": 102}
    soft_names = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
    case("gemma3", "gemma3", m.gemma3(74), Gemma3Processor(Gemma3ImageProcessorPil(**siglip),
         tokenizer(soft, bos="<bos>", named=soft_names), image_seq_length=4), "w9 <start_of_image> w7", pictures((61, 40)))
    internvl = {"<IMG_CONTEXT>": 100, "<img>": 101, "</img>": 102}
    internvl_names = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>",
                      "video_token": "<video>"}
    for name, size in (("internvl-square", (50, 52)), ("internvl-wide", (130, 61))):
        source = GotOcr2ImageProcessorPil(size={"height": 32, "width": 32}, crop_to_patches=True, min_patches=1, max_patches=4)
        case(name, "internvl", m.internvl(75), InternVLProcessor(source, tokenizer(internvl, bos="<bos>", named=internvl_names),
             image_seq_length=4), "w9 <IMG_CONTEXT> w7", pictures(size))
    rows = {f"<row_{r}_col_{c}>": 112 + 2 * (r - 1) + c - 1 for r in (1, 2) for c in (1, 2)}
    idefics = {"<image>": 100, "<fake_token_around_image>": 110, "<global-img>": 111, "<end_of_utterance>": 109} | rows
    idefics_names = {"image_token": "<image>", "fake_image_token": "<fake_token_around_image>", "global_image_token": "<global-img>"}
    for name, size in (("idefics3-wide", (64, 40)), ("idefics3-tall", (30, 64)), ("idefics3-square", (64, 64)), ("idefics3-larger", (90, 77))):
        source = Idefics3ImageProcessorPil(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
        case(name, "idefics3", m.idefics("Idefics3", 76), Idefics3Processor(source, tokenizer(idefics, named=idefics_names),
             image_seq_len=4), "w9 <image> w7", pictures(size), nested=True)
    qwen = {"<|image_pad|>": 100, "<|video_pad|>": 103, "<|vision_start|>": 104, "<|vision_end|>": 105}
    qwen_names = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
    slot = "<|vision_start|><|image_pad|><|vision_end|>"
    for family, make in (("qwen2_vl", m.qwen2_vl), ("qwen2_5_vl", m.qwen2_5_vl), ("qwen3_vl", m.qwen3_vl)):
        for suffix, sizes in (("", [(61, 35)]), ("-exact", [(64, 40)]), ("-two", [(40, 50), (17, 33)])):
            source = Qwen2VLImageProcessorPil(patch_size=4, temporal_patch_size=2, merge_size=2,
                                              size={"shortest_edge": 256, "longest_edge": 4096})
            tok = tokenizer(qwen, bos="<bos>", named=qwen_names)
            case(family + suffix, family, make(77), Qwen2VLProcessor(source, tok, None),
                 "w9 " + f" w4 ".join([slot] * len(sizes)) + " w7", pictures(*sizes))
    for name, sizes in (("mllama-wide", [(80, 30)]), ("mllama-two", [(40, 50), (33, 32)])):
        source = MllamaImageProcessorPil(size={"height": 32, "width": 32}, max_image_tiles=4, image_mean=[0.5] * 3,
                                         image_std=[0.5] * 3)
        tok = tokenizer({"<|image|>": 120, "<|python_tag|>": 112}, bos="<bos>")
        case(name, "mllama", m.mllama(78), MllamaProcessor(source, tok),
             " w4 ".join(["<|image|>"] * len(sizes)) + " w9 w7", pictures(*sizes), nested=True)
    for name, sizes in (("llava_onevision-wide", [(150, 61)]), ("llava_onevision-two", [(40, 50), (33, 32)])):
        source = LlavaOnevisionImageProcessorPil(**siglip, image_grid_pinpoints=[[32, 32], [32, 64], [64, 32], [64, 64]])
        tok = tokenizer({"<image>": 100, "<video>": 103}, named={"image_token": "<image>", "video_token": "<video>"})
        case(name, "llava_onevision", m.llava_onevision(79, image_grid_pinpoints=[[32, 32], [32, 64], [64, 32], [64, 64]]),
             LlavaOnevisionProcessor(source, tok, None, num_image_tokens=16, vision_feature_select_strategy="full"),
             "w9 " + " w4 ".join(["<image>"] * len(sizes)) + " w7", pictures(*sizes), nested=True)

    def caption(inputs):  # BLIP's captions begin with a token of the decoder's, and nothing ends them
        ids = inputs["input_ids"][:, :-1].clone()
        ids[:, 0] = 5
        return {"pixel_values": inputs["pixel_values"], "input_ids": ids}

    def answer(model, inputs):
        seen = model.vision_model(inputs["pixel_values"]).last_hidden_state
        asked = model.text_encoder(inputs["input_ids"], encoder_hidden_states=seen)[0]
        return model.text_decoder(torch.tensor([[5]]), encoder_hidden_states=asked, use_cache=False).logits

    for name, make, settings, words, size in (
            ("blip", m.blip, {"adapt": caption}, "w9 w7", (61, 40)), ("blip-silent", m.blip, {"adapt": caption}, "", (33, 75)),
            ("blip-question", m.blip_questions, {"logits": answer}, "w9 w7 w30", (47, 52))):
        source = BlipImageProcessorPil(size={"height": 32, "width": 32})
        case(name, "blip", make(80, bos_token_id=5), BlipProcessor(source, tokenizer({}, end="</s>")), words, pictures(size),
             **settings)
    # The processor leaves the folder's own do_pan_and_scan aside.
    case("gemma3-elongated", "gemma3", m.gemma3(74), Gemma3Processor(
        Gemma3ImageProcessorPil(**siglip, do_pan_and_scan=True, pan_and_scan_min_crop_size=8, pan_and_scan_max_num_crops=4,
                                pan_and_scan_min_ratio_to_activate=1.2),
        tokenizer(soft, bos="<bos>", named=soft_names), image_seq_length=4), "w9 <start_of_image> w7", pictures((150, 40)))
    (root / "cases.json").write_text(json.dumps({"key": key, "cases": cases}, indent=1))


if __name__ == "__main__":
    main()
