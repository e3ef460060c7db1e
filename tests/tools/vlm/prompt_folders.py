"""Whole model folders with words as tokens, and what a reference makes of prompts: for make_prompts.py and make_films.py."""
import json

import torch
import transformers
from parity_common import floats
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers.processing_utils import ProcessorMixin

# The processors want a video processor, which needs torchvision; images do not.
ProcessorMixin.check_argument_for_proper_class = lambda *_: None


def ppm(path, image):
    height, width, _ = image.shape
    path.write_bytes(f"P6 {width} {height} 255\n".encode() + image.tobytes())


def tokenizer(special, bos="<s>", named=None, end=""):
    """Words w3 to w99; special tokens at the ids that the models expect."""
    words = {"<unk>": 0, bos: 1, "</s>": 2} | {f"w{i}": i for i in range(3, 100)}
    tok = Tokenizer(models.WordLevel(words | special, unk_token="<unk>"))
    tok.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if bos == "<s>":
        tok.post_processor = processors.TemplateProcessing(single=f"{bos} $A {end}".strip(),
                                                           special_tokens=[(bos, 1), ("</s>", 2)])
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tok, bos_token=bos, eos_token="</s>", unk_token="<unk>", pad_token="<unk>",
        extra_special_tokens=named or {})
    fast.add_special_tokens({"additional_special_tokens": list(special)}, replace_extra_special_tokens=False)
    return fast


def save_folder(folder, model, processor):
    """What is opened: weights, tokenizer, the processors of pictures and films, and the processor's own settings."""
    folder.mkdir(parents=True)
    model.save_pretrained(folder)
    for part in ("tokenizer", "image_processor", "video_processor"):
        if getattr(processor, part, None) is not None:
            getattr(processor, part).save_pretrained(folder)
    fields = {k: v for k, v in processor.to_dict().items() if isinstance(v, (int, float, str, bool)) and k != "chat_template"}
    (folder / "processor_config.json").write_text(json.dumps(fields))


def save_reference(path, model, inputs, logits=None):
    """The prompt's ids, and the logits of its last place in fp32 and float64: the model's own, or logits(model, inputs)."""
    logits = logits or (lambda model, given: model(**given, use_cache=False).logits)
    tensors = {"ids": inputs["input_ids"].double()}
    for label, dtype in (("f32", torch.float32), ("f64", torch.float64)):
        model.to(dtype)
        tensors[f"{label}/logits"] = logits(model, floats(inputs, dtype))[:, -1:].contiguous()
    model.to(torch.float32)
    save_file(tensors, path)
