"""Language models from the command line: answers, token maps, traces and analyses of prompts, against transformers."""
import csv
import io
import json
import os
import pathlib
import shutil
import sys
import tempfile
import unittest

# The reference writes the model: go on where it is installed.
try:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, utils
except ImportError:
    source = pathlib.Path(__file__).resolve().parents[2]
    for python in (os.environ.get("FOVEA_TEST_PYTHON"), source / "build/venv/bin/python"):
        if python and os.path.exists(python) and not os.environ.get("FOVEA_TEST_REEXEC"):
            os.environ["FOVEA_TEST_REEXEC"] = "1"
            os.execv(str(python), [str(python), *sys.argv])
    raise

import numpy as np
from cli_support import CliTest, read_safetensors, write_safetensors

TEMPLATE = ("{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}")
PROMPT = "what colour is the star"


def trained_tokens(more=()):
    tokens = Tokenizer(models.BPE())
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = decoders.ByteLevel()
    special = ["<|begin|>", "<|end|>", "<|user|>", "<|assistant|>", *more]
    tokens.train_from_iterator([PROMPT, "the star is red"] * 3, trainers.BpeTrainer(
        vocab_size=300, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokens.post_processor = processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=tokens, bos_token="<|begin|>", eos_token="<|end|>")


def randomise(model):
    """Default initialisation hides errors."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name:
                parameter.copy_(torch.randn(parameter.shape) / parameter.shape[-1] ** 0.5)


def make(folder):
    torch.manual_seed(5)
    fast = trained_tokens()
    fast.chat_template = TEMPLATE
    model = LlamaForCausalLM(LlamaConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=48,
        vocab_size=len(fast), max_position_embeddings=128, eos_token_id=None, bos_token_id=None, attn_implementation="eager"))
    randomise(model)
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return fast, AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()


class Language(CliTest):
    @classmethod
    def setUpClass(cls):
        utils.logging.disable_progress_bar()
        cls.made = pathlib.Path(tempfile.mkdtemp(prefix="fovea_lm_"))
        cls.addClassCleanup(shutil.rmtree, cls.made, ignore_errors=True)
        cls.tokens, cls.model = make(cls.made / "lm")
        text = cls.tokens.apply_chat_template([{"role": "user", "content": PROMPT}], tokenize=False, add_generation_prompt=True)
        cls.ids = torch.tensor([cls.tokens(text, add_special_tokens=False)["input_ids"]])
        cls.answer = cls.model.generate(cls.ids, attention_mask=torch.ones_like(cls.ids), max_new_tokens=8, do_sample=False,
                                        pad_token_id=1)[0, cls.ids.shape[1]:].tolist()

    def setUp(self):
        super().setUp()
        shutil.copytree(self.made / "lm", self.folder / "lm")

    def test_answer_equals_the_reference(self):
        result = self.ok("generate", "lm", "--prompt", PROMPT, "--max-new-tokens", 8, "--json").json()
        self.assertEqual(result["ids"], self.answer)
        self.assertEqual(result["text"], self.tokens.decode(self.answer, skip_special_tokens=True))
        self.assertEqual(result["stop"], "length")
        self.assertEqual([step["id"] for step in result["steps"]], self.answer)
        plain = self.ok("generate", "lm", "--prompt", PROMPT, "--max-new-tokens", 8)
        self.assertEqual(plain.out, result["text"] + "\n")
        self.ok("generate", "lm", "--prompt", PROMPT, "--max-new-tokens", 8, "-o", "a.txt")
        self.assertEqual((self.folder / "a.txt").read_text(), result["text"] + "\n")

    def test_draws_repeat_with_their_seed(self):
        draw = lambda seed: self.ok("generate", "lm", "--prompt", PROMPT, "--max-new-tokens", 12, "--temperature", 1.5, "--seed", seed, "--json").json()["ids"]
        self.assertEqual(draw(1), draw(1))
        self.assertNotEqual(draw(1), draw(2))
        first = self.ok("generate", "lm", "--prompt", PROMPT, "--max-new-tokens", 8, "--top-k", 1, "--json").json()
        self.assertEqual(first["ids"], self.answer)

    def test_chat_and_raw_prompts(self):
        (self.folder / "talk.json").write_text(json.dumps([{"role": "user", "content": PROMPT}]))
        chat = self.ok("generate", "lm", "--chat", "talk.json", "--max-new-tokens", 8, "--json").json()
        self.assertEqual(chat["ids"], self.answer)
        raw = self.ok("tokens", "lm", "--prompt", PROMPT, "--raw-prompt", "--json").json()["stages"]["text"]
        self.assertEqual(len(raw), len(self.tokens(PROMPT)["input_ids"]))
        self.assertEqual("".join(t["text"] for t in raw[1:]), PROMPT)
        self.assertEqual(raw[0]["kind"], "special")

    def test_trace_of_an_answer(self):
        arguments = ("lm", "--prompt", PROMPT, "--max-new-tokens", 8)
        self.ok("trace", *arguments, "--keep", "probs,qkv,hidden,output,stats", "-o", "t.safetensors")
        arrays, metadata = read_safetensors(self.folder / "t.safetensors")
        whole = torch.cat([self.ids, torch.tensor([self.answer])], 1)
        reference = self.model(whole, output_attentions=True)
        for layer, attention in enumerate(reference.attentions):
            np.testing.assert_allclose(arrays[f"text.{layer}.self/probs"], attention[0].detach().numpy(), atol=2e-6)
        np.testing.assert_allclose(arrays["output/logits"], reference.logits[0, -9:-1].detach().numpy(), atol=1e-4)
        self.assertEqual(arrays["output/generated_ids"].tolist(), self.answer)
        self.assertEqual(arrays["output/generated_ids"].dtype, np.int64)
        kinds = [t["kind"] for t in json.loads(metadata["fovea.token_map"])["stages"]["text"]]
        self.assertEqual(kinds.count("generated"), 8)
        # The same numbers from the file as from the model.
        fresh = self.ok("analyse", *arguments, "--analysis", "attention_from", "--param", "queries=10").json()
        again = self.ok("analyse", "t.safetensors", "--analysis", "attention_from", "--param", "queries=10").json()
        self.assertEqual(len(fresh["items"][0]["findings"]), len(again["items"][0]["findings"]))
        self.ok("render", *arguments, "--analysis", "attention_matrix", "-o", "m.svg")
        self.ok("trace", *arguments, "--keep", "probs", "-o", "p.safetensors")
        self.assertNotIn("output/generated_ids", read_safetensors(self.folder / "p.safetensors")[0])

    def test_tables_name_the_answer_s_tokens(self):
        arguments = ("analyse", "lm", "--prompt", PROMPT, "--max-new-tokens", 4, "--analysis", "attention_from", "--param", "stage=text",
                     "--param", "queries=answer", "--finding", "scores", "--format", "csv")
        rows = list(csv.DictReader(io.StringIO(self.ok(*arguments).out, newline="")))
        steps = self.ok("generate", "lm", "--prompt", PROMPT, "--max-new-tokens", 4, "--json").json()["steps"]
        self.assertEqual(len(rows), self.ids.shape[1] + 4)
        self.assertEqual([row["name"].strip() for row in rows[-4:]], [(step["text"] or "generated").strip() for step in steps])

    def test_token_lists_hold_the_answer(self):
        asked = ("tokens", "lm", "--prompt", PROMPT, "--max-new-tokens", 8)
        text = self.ok(*asked, "--json").json()["stages"]["text"]
        kinds = [token["kind"] for token in text]
        self.assertEqual(kinds[-8:], ["generated"] * 8)
        self.assertEqual(len(kinds), self.ids.shape[1] + 8)
        self.assertNotIn("generated", kinds[:-8])
        self.assertEqual(self.ok(*asked).out.count("  generated"), 8)
        self.fails(3, "tokens", "demo:vit", "--image", "scene:1", "--max-new-tokens", 8, "--json")

    def test_tensors_give_the_reference_logits(self):
        write_safetensors(self.folder / "i.safetensors", {"input_ids": self.ids.numpy()})
        self.ok("trace", "lm", "--tensors", "i.safetensors", "--keep", "output,probs", "-o", "t.safetensors")
        arrays, _ = read_safetensors(self.folder / "t.safetensors")
        logits = self.model(self.ids).logits[0].detach().numpy()
        np.testing.assert_allclose(arrays["output/logits"], logits, atol=1e-5 * np.abs(logits).max() + 1e-5)
        ids = self.ok("generate", "lm", "--tensors", "i.safetensors", "--max-new-tokens", 8, "--json").json()["ids"]
        self.assertEqual(ids, self.answer)

    def test_edits_change_the_answer_but_the_edited_run_repeats(self):
        edit = ("--edit", 'mute_heads{"heads":"0-3","layers":"all"}')
        arguments = ("generate", "lm", "--prompt", PROMPT, "--max-new-tokens", 8, "--json")
        edited = self.ok(*arguments, *edit).json()
        self.assertNotEqual(edited["steps"][0]["log_probability"], self.ok(*arguments).json()["steps"][0]["log_probability"])
        self.assertEqual(edited, self.ok(*arguments, *edit).json())

    def test_info_and_verify_need_no_input(self):
        info = self.ok("info", "lm", "--json").json()
        self.assertEqual(info["family"], "llama")
        self.assertTrue(info["sites"][0]["causal"])
        self.assertEqual(info["sites"][0]["key_value_heads"], 2)
        self.assertGreater(info["memory"]["activations"], 0)
        self.ok("verify", "lm")
        (self.folder / "lm" / "tokenizer.json").unlink()
        self.ok("info", "lm")

    def test_wrong_input(self):
        self.fails(2, "generate", "lm", "--json")
        self.fails(2, "generate", "lm", "--image", "scene:1", "--prompt", "a", "--json")
        self.fails(3, "generate", "lm", "--chat", "none.json", "--json")
        self.fails(3, "generate", "demo:vit", "--image", "scene:1", "--max-new-tokens", 4, "--json")
        self.fails(3, "trace", "demo:vit", "--image", "scene:1", "--max-new-tokens", 4, "--keep", "output", "-o", "t.safetensors")
        self.fails(4, "generate", "lm", "--prompt", PROMPT, "--budget", "1KiB", "--json")
        (self.folder / "lm" / "tokenizer.json").unlink()
        self.fails(3, "generate", "lm", "--prompt", "a", "--json")


if __name__ == "__main__":
    unittest.main()
