"""The reference package's half of vlm.py: transformers in this process, step by step and without its generation loop,
which would only add to its time."""

import contextlib
import gc
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from vlm_folders import model_class


class Reference:
    def __init__(self, folder, shape, device, dtype, attention="sdpa"):
        self.device, self.dtype = torch.device(device), dtype
        begin = time.perf_counter()
        self.model = model_class(shape).from_pretrained(folder, dtype=dtype, attn_implementation=attention,
                                                        device_map=device).eval()
        self.synchronize()
        self.open_ms = (time.perf_counter() - begin) * 1e3

    def synchronize(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def use(self, attention):
        """Of the text alone: the vision tower of an eager model would not fit long before its text does."""
        self.model.set_attn_implementation({"text_config": attention, "vision_config": "sdpa"})

    def prepare(self, inputs):
        return {name: value.to(self.device, self.dtype if value.is_floating_point() and "second" not in name else None)
                for name, value in inputs.items()}

    def release(self):
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    @torch.no_grad()
    def answer(self, inputs, forced, flash_decode=False, maps=False):
        """Prefill and one pass for every forced token but the last, as our side counts them; with `maps` all
        probabilities are asked for and kept."""
        cuda = self.device.type == "cuda"
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        extra = {"output_attentions": True} if maps else {}
        self.synchronize()
        kept, steps, scores = [], [], []
        begin = time.perf_counter()
        out = self.model(**inputs, use_cache=True, logits_to_keep=1, **extra)
        for i, token in enumerate(forced):
            # The choice of the next token waits for the device, as a real loop does.
            best = out.logits[0, -1].float().log_softmax(-1)
            best.argmax().item()
            scores.append(best[token].item())
            now = time.perf_counter()
            steps.append((now - begin) * 1e3)
            begin = now
            if maps:
                kept.append(out.attentions)
            if i + 1 == len(forced):
                break
            past = out.past_key_values
            with sdpa_kernel(SDPBackend.FLASH_ATTENTION) if flash_decode and cuda else contextlib.nullcontext():
                out = self.model(input_ids=torch.tensor([[token]], device=self.device), past_key_values=past,
                                 use_cache=True, logits_to_keep=1, **extra)
        result = {"prefill_ms": steps[0], "steps_ms": steps[1:], "log_probabilities": scores}
        if cuda:
            result["peak"], result["held"] = torch.cuda.max_memory_allocated(), torch.cuda.memory_allocated()
        if maps:
            result["map_bytes"] = sum(m.nbytes for step in kept for m in step)
        return result
