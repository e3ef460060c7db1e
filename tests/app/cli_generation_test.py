"""What a folder's generation_config.json asks of answers: the ids of transformers, key by key."""
import json
import pathlib
import shutil
import tempfile
import unittest

# Finds the interpreter that has the reference, too.
from cli_language_test import PROMPT, make

import numpy as np
import torch
from cli_support import CliTest, png_text, read_safetensors, write_ppm, write_safetensors
from cli_vision_language_test import make as make_vlm
from transformers import AutoModelForCausalLM, AutoTokenizer, LlavaForConditionalGeneration, utils

LENGTH = 20


class GenerationConfig(CliTest):
    @classmethod
    def setUpClass(cls):
        utils.logging.disable_progress_bar()
        cls.made = pathlib.Path(tempfile.mkdtemp(prefix="fovea_gc_"))
        cls.addClassCleanup(shutil.rmtree, cls.made, ignore_errors=True)
        cls.tokens, cls.model = make(cls.made / "lm")
        text = cls.tokens.apply_chat_template([{"role": "user", "content": PROMPT}], tokenize=False, add_generation_prompt=True)
        cls.ids = torch.tensor([cls.tokens(text, add_special_tokens=False)["input_ids"]])
        (cls.made / "lm" / "generation_config.json").unlink(missing_ok=True)
        cls.plain = cls.asked(cls.made / "lm", {}, cls.ids)

    @staticmethod
    def asked(folder, keys, ids, length=LENGTH):
        """What transformers answers to ids or embeddings with such a file (None: without); without a length its own counts."""
        path = folder / "generation_config.json"
        if keys is not None:
            path.write_text(json.dumps(keys))
        try:
            model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
        finally:
            path.unlink(missing_ok=True)
        more = {"max_new_tokens": length} if length else {}
        given = {"inputs_embeds": ids} if ids.is_floating_point() else {"input_ids": ids}
        mask = torch.ones(ids.shape[:2], dtype=torch.long)
        out = model.generate(**given, attention_mask=mask, do_sample=False, pad_token_id=1, **more)
        return out[0, 0 if ids.is_floating_point() else ids.shape[1]:].tolist()

    def setUp(self):
        super().setUp()
        shutil.copytree(self.made / "lm", self.folder / "lm")

    def write(self, keys):
        (self.folder / "lm" / "generation_config.json").write_text(json.dumps(keys))

    def answer(self, *more, length=LENGTH):
        flags = ("--max-new-tokens", length) if length else ()
        return self.ok("generate", "lm", "--prompt", PROMPT, *flags, "--json", *more).json()

    def same(self, keys, differs=True, length=LENGTH):
        """The ids are those of transformers, and not those without the keys."""
        with self.subTest(keys=keys):
            reference = self.asked(self.folder / "lm", keys, self.ids, length)
            self.write(keys)
            found = self.answer(length=length)
            self.assertEqual(found["ids"], reference)
            if differs:
                self.assertNotEqual(reference, self.plain[:len(reference)] if length is None else self.plain)
            return found

    def test_each_key_answers_as_the_reference(self):
        plain = self.plain
        self.assertEqual(len(plain), LENGTH)
        self.same({}, differs=False)
        self.same({"repetition_penalty": 1.8})
        self.same({"repetition_penalty": 0.6})
        self.same({"suppress_tokens": plain[4:6]})
        self.same({"begin_suppress_tokens": [plain[0]]})
        self.same({"bad_words_ids": [[plain[0]], plain[2:4]]})
        self.same({"bad_words_ids": [plain[4:6]]})
        # Ends at the sixth token's first place without the second key.
        ends = {"eos_token_id": [plain[5], 299]}
        self.same(ends)
        self.same({**ends, "min_new_tokens": 12})
        self.same({**ends, "min_length": self.ids.shape[1] + 12})
        self.same({**ends, "min_length": 500, "min_new_tokens": 0})
        self.same({**ends, "bad_words_ids": [[plain[5]], [plain[0]]]})
        self.same({"forced_eos_token_id": 1})
        self.same({"forced_eos_token_id": [7, 5], "eos_token_id": 5})
        self.same({"eos_token_id": [plain[5], *range(200, 290)]})
        self.same({"repetition_penalty": 1.5, "no_repeat_ngram_size": 2, "suppress_tokens": [plain[0]],
                   "begin_suppress_tokens": [plain[1]], "bad_words_ids": [plain[4:6]], "eos_token_id": plain[7],
                   "min_new_tokens": 10, "forced_eos_token_id": 1})

    def test_repeated_n_grams(self):
        # A prompt full of pairs: with favoured repetition they come again, and are banned.
        favoured = {"repetition_penalty": 0.5}
        again = self.same(favoured)["ids"]
        for size in (1, 2, 3):
            with self.subTest(size=size):
                ids = self.same({**favoured, "no_repeat_ngram_size": size})["ids"]
                self.assertNotEqual(ids, again)
                grams = [tuple(ids[i:i + size]) for i in range(LENGTH + 1 - size)]
                self.assertEqual(len(set(grams)), len(grams))

    def test_a_forced_first_token_behind_a_prompt_of_one(self):
        one = self.ids[:, :1]
        write_safetensors(self.folder / "i.safetensors", {"input_ids": one.numpy()})
        for keys in ({"forced_bos_token_id": 9}, {"forced_bos_token_id": 9, "begin_suppress_tokens": list(range(250))}):
            with self.subTest(keys=keys):
                reference = self.asked(self.folder / "lm", keys, one)
                self.write(keys)
                found = self.ok("generate", "lm", "--tensors", "i.safetensors", "--max-new-tokens", LENGTH, "--json").json()
                self.assertEqual(found["ids"], reference)
                self.assertEqual(reference[0], 9)
        self.same({"forced_bos_token_id": 9}, differs=False)

    def test_embeddings_have_no_ids_to_repeat(self):
        embeds = self.model.get_input_embeddings()(self.ids).detach()
        write_safetensors(self.folder / "e.safetensors", {"inputs_embeds": embeds.numpy()})
        asked = ("generate", "lm", "--tensors", "e.safetensors", "--max-new-tokens", LENGTH, "--json")
        self.assertEqual(self.ok(*asked).json()["ids"], self.plain)
        length = self.ids.shape[1]
        for keys in ({"repetition_penalty": 1.8, "no_repeat_ngram_size": 2}, {"begin_suppress_tokens": [self.plain[0]]},
                     {"eos_token_id": self.plain[4], "min_length": length + 9}, {"forced_bos_token_id": 9}):
            with self.subTest(keys=keys):
                reference = self.asked(self.folder / "lm", keys, embeds)
                self.assertNotEqual(reference, self.plain)
                self.write(keys)
                self.assertEqual(self.ok(*asked).json()["ids"], reference)

    def picture_prompt(self, folder):
        """A picture that needs no resizing, and what the processor makes of it and the prompt."""
        write_ppm(self.folder / "p.ppm", 28, 28, seed=3)
        pixels = np.frombuffer((self.folder / "p.ppm").read_bytes()[-28 * 28 * 3:], np.uint8).reshape(28, 28, 3)
        tokens = AutoTokenizer.from_pretrained(folder)
        said = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": PROMPT}]}]
        text = tokens.apply_chat_template(said, tokenize=False, add_generation_prompt=True).replace("<image>", "<image>" * 16)
        ids = torch.tensor([tokens(text)["input_ids"]])  # as the processor does: this template has no beginning
        values = torch.tensor(pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255 * 2 - 1)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": values}

    def test_answers_about_pictures(self):
        folder = self.folder / "vlm"
        make_vlm(folder)
        given = self.picture_prompt(folder)
        answers = []
        for keys in ({}, {"repetition_penalty": 1.8}, {"no_repeat_ngram_size": 2},
                     {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2, "forced_eos_token_id": 1}):
            with self.subTest(keys=keys):
                (folder / "generation_config.json").write_text(json.dumps(keys))
                model = LlavaForConditionalGeneration.from_pretrained(folder, attn_implementation="eager").eval()
                out = model.generate(**given, do_sample=False, pad_token_id=1, max_new_tokens=LENGTH)
                reference = out[0, given["input_ids"].shape[1]:].tolist()
                found = self.ok("generate", "vlm", "--image", "p.ppm", "--prompt", PROMPT, "--max-new-tokens", LENGTH, "--json").json()
                self.assertEqual(found["ids"], reference)
                answers.append(reference)
        self.assertNotIn(answers[0], answers[1:])

    def test_ends_of_config_json_count_without_the_file(self):
        path = self.folder / "lm" / "config.json"
        config = json.loads(path.read_text())
        config["eos_token_id"] = self.plain[5]
        path.write_text(json.dumps(config))
        ended = self.plain[:self.plain.index(self.plain[5]) + 1]
        self.assertEqual(self.asked(self.folder / "lm", None, self.ids), ended)
        self.assertEqual(self.answer()["ids"], ended)
        # A file that names no end has none.
        self.same({}, differs=False)
        self.assertEqual(self.answer()["ids"], self.plain)

    def test_lengths_of_the_file_count_where_none_is_given(self):
        found = self.same({"max_new_tokens": 11}, differs=False, length=None)
        self.assertEqual((len(found["ids"]), found["max_new_tokens"], found["max_new_tokens_from"]), (11, 11, "max_new_tokens"))
        found = self.same({"max_length": self.ids.shape[1] + 7}, differs=False, length=None)
        self.assertEqual((found["max_new_tokens"], found["max_new_tokens_from"]), (7, "max_length"))
        # Both: the number of new tokens, as there. The last token is forced at the length in force.
        found = self.same({"max_length": self.ids.shape[1] + 7, "max_new_tokens": 4, "forced_eos_token_id": 1}, length=None)
        self.assertEqual((len(found["ids"]), found["ids"][-1]), (4, 1))
        said = self.ok("generate", "lm", "--prompt", PROMPT)
        self.assertIn("at most 4 new tokens (max_new_tokens of generation_config.json)", said.err)
        found = self.answer(length=6)
        self.assertEqual((len(found["ids"]), found["max_new_tokens"], found["max_new_tokens_from"]), (6, 6, "--max-new-tokens"))
        self.write({})
        found = self.answer(length=None)
        self.assertEqual((len(found["ids"]), found["max_new_tokens"], found["max_new_tokens_from"]), (64, 64, "default"))
        self.assertEqual(found["ids"][:LENGTH], self.plain)
        self.write({"max_length": 3})
        failed = self.fails(2, "generate", "lm", "--prompt", PROMPT, "--json")
        self.assertIn("max_length", failed.json()["error"]["what"])
        self.assertIn("--max-new-tokens", failed.json()["error"]["hint"])
        self.assertEqual(self.answer()["ids"], self.plain)

    def test_flags_win_over_the_file(self):
        self.write({"repetition_penalty": 1.8})
        penalised = self.answer()
        self.assertEqual(penalised["rules"], {"repetition_penalty": 1.8})
        found = self.answer("--repetition-penalty", 1)
        self.assertEqual((found["ids"], found["rules"]), (self.plain, {}))
        self.write({})
        self.assertEqual(self.answer("--repetition-penalty", 1.8)["ids"], penalised["ids"])

    def test_what_is_not_followed_is_warned_of_once(self):
        keys = {"num_beams": 3, "do_sample": True, "temperature": 0.7, "top_k": 20, "stop_strings": ["a"], "use_cache": True}
        self.write(keys)
        found = self.answer()
        self.assertEqual(found["ids"], self.plain)
        about = [notice for notice in found["notices"] if "generation_config.json" in notice]
        self.assertEqual(len(about), 1)
        self.assertIn("num_beams, stop_strings, do_sample, temperature, top_k are not followed", about[0])
        said = self.ok("generate", "lm", "--prompt", PROMPT, "--max-new-tokens", 4)
        self.assertEqual(said.err.count("are not followed"), 1)
        self.assertEqual(set(found["rules"]["not_followed"]), set(keys) - {"use_cache"})
        traced = self.ok("trace", "lm", "--prompt", PROMPT, "--max-new-tokens", 4, "--keep", "output", "-o", "t.safetensors", "--json")
        self.assertEqual([notice for notice in traced.json()["notices"] if "generation_config.json" in notice], about)
        self.write({"repetition_penalty": 1.2, "top_k": 20})
        self.assertEqual([notice for notice in self.answer()["notices"] if "generation_config" in notice], [])

    def test_traces_and_pictures_record_the_rules(self):
        self.write({"repetition_penalty": 1.8, "suppress_tokens": self.plain[:2]})
        ids = self.answer(length=6)["ids"]
        arguments = ("lm", "--prompt", PROMPT, "--max-new-tokens", 6)
        self.ok("trace", *arguments, "--keep", "output,probs", "-o", "t.safetensors")
        arrays, metadata = read_safetensors(self.folder / "t.safetensors")
        self.assertEqual(arrays["output/generated_ids"].tolist(), ids)
        rules = {"repetition_penalty": 1.8, "suppress_tokens": self.plain[:2]}
        self.assertEqual(json.loads(metadata["fovea.spec"])["generation"], rules)
        self.assertEqual(self.ok("info", "lm", "--json").json()["generation"], rules)
        self.ok("render", *arguments, "--analysis", "attention_matrix", "-o", "m.png")
        texts = png_text(self.folder / "m.png").values()
        self.assertTrue(any("| answer by repetition_penalty 1.8, suppress_tokens (2) |" in text for text in texts), list(texts))

    def test_wrong_values_name_file_key_expected_and_found(self):
        for keys, found in (({"repetition_penalty": "1.2"}, "1.2"), ({"suppress_tokens": 4}, "number"),
                            ({"bad_words_ids": [[1, 100000]]}, "100000"), ({"max_new_tokens": 0}, "0"),
                            ({"no_repeat_ngram_size": -2}, "-2"), ({"num_beams": 1.5}, "1.5"), ({"eos_token_id": "a"}, "a")):
            with self.subTest(keys=keys):
                self.write(keys)
                error = self.fails(3, "generate", "lm", "--prompt", PROMPT, "--json").json()["error"]
                for part in ("generation_config.json", next(iter(keys)), "expected", found):
                    self.assertIn(part, error["what"])
                self.assertTrue(error["hint"])


if __name__ == "__main__":
    unittest.main()
