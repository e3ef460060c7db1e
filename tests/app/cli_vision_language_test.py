"""Vision-language models from the command line: answers in files, warnings and hints about pictures and prompts."""
import csv
import json
import pathlib
import re
import shutil
import tempfile
import unittest

# First: it goes on in an interpreter that has transformers.
from cli_language_test import PROMPT, randomise, trained_tokens
import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, utils

from cli_support import CliTest, png_text, write_ppm

TEMPLATE = ("{% for m in messages %}<|{{ m['role'] }}|>{% if m['content'] is string %}{{ m['content'] }}{% else %}"
            "{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}{% endfor %}"
            "{% endif %}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}")


def make(folder):
    torch.manual_seed(6)
    tokens = trained_tokens(["<image>"])
    tokens.chat_template = TEMPLATE
    vision = CLIPVisionConfig(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, image_size=28,
                              patch_size=7, projection_dim=32)
    text = LlamaConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=48,
                       vocab_size=len(tokens), max_position_embeddings=256, eos_token_id=None, bos_token_id=None)
    model = LlavaForConditionalGeneration(LlavaConfig(vision_config=vision, text_config=text, vision_feature_layer=-1,
                                                      image_token_index=tokens.convert_tokens_to_ids("<image>")))
    randomise(model)
    model.save_pretrained(folder)
    tokens.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": 28}, "do_center_crop": True,
        "crop_size": {"height": 28, "width": 28}, "do_rescale": True, "do_normalize": True, "resample": 3,
        "rescale_factor": 1 / 255, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}))
    (folder / "processor_config.json").write_text(json.dumps({
        "processor_class": "LlavaProcessor", "patch_size": 7, "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1, "image_token": "<image>"}))


class VisionLanguage(CliTest):
    @classmethod
    def setUpClass(cls):
        utils.logging.disable_progress_bar()
        cls.made = pathlib.Path(tempfile.mkdtemp(prefix="fovea_vlm_"))
        cls.addClassCleanup(shutil.rmtree, cls.made, ignore_errors=True)
        make(cls.made / "vlm")

    def setUp(self):
        super().setUp()
        shutil.copytree(self.made / "vlm", self.folder / "vlm")

    def asked(self, command, *more):
        return (command, "vlm", "--image", "scene:1", "--prompt", PROMPT, "--max-new-tokens", 4, *more)

    def test_numbers_and_batches_hold_the_answer(self):
        answer = self.ok(*self.asked("generate", "--json")).json()
        found = self.ok(*self.asked("analyse", "--analysis", "attention_from")).json()["items"][0]["answer"]
        self.assertEqual((found["text"], found["ids"]), (answer["text"], answer["ids"]))
        self.assertEqual(found["tokens"], [step["text"] for step in answer["steps"]])
        (self.folder / "in").mkdir()
        for i in range(2):
            write_ppm(self.folder / f"in/p{i}.ppm", 40, 32, seed=i)
        path = self.session(model={"reference": "vlm"}, input={"prompt": PROMPT, "max_new_tokens": 4})
        self.ok("run", path, "--images", "in", "-o", "out")
        with open(self.folder / "out/metrics.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(list(rows[0])[-2:], ["prompt", "answer"])
        for i, row in enumerate(rows):
            self.assertEqual((row["prediction"], row["class"], row["probability"], row["prompt"]), ("", "", "", PROMPT))
            record = json.loads((self.folder / f"out/p{i}/item.json").read_text())
            fresh = self.ok("generate", "vlm", "--image", f"in/p{i}.ppm", "--prompt", PROMPT, "--max-new-tokens", 4, "--json").json()
            self.assertEqual(record["answer"]["ids"], fresh["ids"])
            self.assertEqual(record["answer"]["text"], fresh["text"])
            self.assertEqual(row["answer"], fresh["text"])

    def test_a_conversation_names_its_last_question(self):
        (self.folder / "talk.json").write_text(json.dumps([
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Anything?"}]},
            {"role": "assistant", "content": "Yes."}, {"role": "user", "content": PROMPT}]))
        base = ("vlm", "--image", "scene:1", "--chat", "talk.json", "--max-new-tokens", 4)
        self.ok("render", *base, "--analysis", "attention_from", "-o", "m.png")
        self.assertIn(f'| scene 1 | chat talk.json | prompt "{PROMPT}" | ', png_text(self.folder / "m.png")["Description"])
        (self.folder / "in").mkdir()
        write_ppm(self.folder / "in/p.ppm", 40, 32)
        path = self.session(model={"reference": "vlm"}, input={"chat": "talk.json", "max_new_tokens": 4})
        self.ok("run", path, "--images", "in", "-o", "out")
        with open(self.folder / "out/metrics.csv", newline="") as file:
            self.assertEqual([row["prompt"] for row in csv.DictReader(file)], [PROMPT])

    def test_what_is_left_aside_or_guessed_is_said(self):
        (self.folder / "talk.json").write_text(json.dumps([
            {"role": "user", "content": [{"type": "image", "path": "/nonexistent.png"}, {"type": "text", "text": PROMPT}]}]))
        asked = ("generate", "vlm", "--image", "scene:1", "--chat", "talk.json", "--max-new-tokens", 2)
        said = self.ok(*asked).err
        self.assertIn("warning: the conversation names a picture of its own (/nonexistent.png), which is not read", said)
        self.assertNotIn("tokenizer_config", said)
        (self.folder / "vlm/tokenizer_config.json").unlink()
        said = self.ok(*self.asked("generate")).err
        self.assertIn("warning: no tokenizer_config.json", said)
        self.assertNotIn("conversation", said)

    def test_relevance_says_why_a_word_was_written(self):
        steps = self.ok(*self.asked("generate", "--json")).json()["steps"]
        def asked(*params):
            more = [word for p in params for word in ("--param", p)]
            return self.asked("analyse", "--analysis", "relevance", "--json", *more)
        finding = lambda run: run.json()["items"][0]["findings"][0]  # noqa: E731
        second = finding(self.ok(*asked("queries=writing:1")))
        self.assertIn("Gradient relevance while writing", second["title"])
        self.assertIn("log probability of", second["title"])
        said = float(second["note"].split("objective ")[1].split(";")[0])
        self.assertAlmostEqual(said, steps[1]["log_probability"], delta=1e-3 * abs(steps[1]["log_probability"]))
        self.assertRegex(second["note"], r"[0-9.]+ % of the positive relevance is on tokens without a place in the picture")
        whole = finding(self.ok(*asked()))
        self.assertIn("sum of the log probabilities of", whole["note"])
        error = self.fails(2, *asked("queries=writing:9"))
        self.assertIn("answer tokens in token selection", error.err)
        self.ok(*self.asked("render", "--analysis", "relevance", "--param", "queries=writing:2", "-o", "why.png"))
        self.assertGreater((self.folder / "why.png").stat().st_size, 500)

    def test_missing_files_are_said_by_every_run(self):
        said = "warning: the folder has no chat template"
        for name in ("chat_template.jinja", "preprocessor_config.json"):
            (self.folder / "vlm" / name).unlink()
        path = self.session(model={"reference": "vlm"}, input={"prompt": PROMPT, "images": ["scene:1"]})
        for arguments in (self.asked("generate"), self.asked("tokens"), self.asked("analyse", "--analysis", "attention_from"),
                          self.asked("render", "--analysis", "attention_from", "-o", "m.svg"),
                          self.asked("trace", "--keep", "probs", "-o", "t.safetensors"), ("run", path, "-o", "out")):
            err = self.ok(*arguments).err
            self.assertIn(said, err, arguments)
            self.assertIn("warning: no preprocessor_config.json", err, arguments)
        notices = self.ok("info", "vlm", "--json").json()["weights"]["notices"]
        self.assertTrue(any("chat template" in n for n in notices) and any("preprocessor_config" in n for n in notices), notices)
        raw = self.ok("tokens", "vlm", "--image", "scene:1", "--prompt", "<image>" + PROMPT, "--raw-prompt")
        self.assertNotIn("chat template", raw.err)

    def test_the_last_layer_is_shown_unless_another_is_named(self):
        shown = lambda *more: self.ok(*self.asked("analyse", "--analysis", "attention_from", *more)).json()["items"][0]["findings"]
        self.assertEqual(shown(), shown("--param", "layers=last"))
        self.assertEqual(shown(), shown("--param", "layers=1"))
        self.assertNotEqual(shown(), shown("--param", "layers=0"))
        self.ok(*self.asked("render", "--analysis", "attention_from", "-o", "m.png"))
        self.assertIn("attention_from: layers last, heads all", png_text(self.folder / "m.png")["Description"])

    def test_cells_of_the_pictures_grid_name_tokens_of_the_text(self):
        keys = [t["i"] for t in self.ok(*self.asked("tokens", "--json")).json()["stages"]["text"]
                if t["kind"] == "image" and 1 <= t["grid"][0] <= 2 and t["grid"][1] == 3]
        self.assertEqual(len(keys), 2)
        scores = lambda tokens: self.ok(*self.asked("analyse", "--analysis", "attention_to", "--param", "keys=" + tokens)).json()[
            "items"][0]["findings"]
        self.assertEqual(scores("grid:1,3-2,3")[0]["data"], scores(",".join(map(str, keys)))[0]["data"])
        self.assertIn("rows 0 to 3, columns 0 to 3",
                      self.fails(2, *self.asked("analyse", "--analysis", "attention_to", "--param", "keys=grid:4,0")).err)

    def test_a_wrong_number_of_placeholders_says_what_to_write(self):
        asked = lambda prompt, *more: self.fails(3, "tokens", "vlm", "--image", "scene:1", *more, "--raw-prompt", "--prompt", prompt).err
        none = asked(PROMPT)
        self.assertIn("expected 1 placeholder <image> (one for each picture), found 0", none)
        self.assertIn("hint: Write <image> where the picture belongs, or leave --raw-prompt out", none)
        few = asked("<image>" + PROMPT, "--image", "scene:2")
        self.assertIn("expected 2 placeholders <image> (one for each picture), found 1", few)
        self.assertIn("hint: Write another <image>, or give fewer pictures", few)
        self.assertIn("hint: Write fewer placeholders, or give a picture for each", asked("<image><image>" + PROMPT))

    def test_a_question_needs_words_and_should_have_a_picture(self):
        nothing = self.fails(2, "generate", "vlm", "--image", "scene:1", "--max-new-tokens", 4, "--json")
        self.assertIn("expected a prompt or a conversation, found neither", nothing.err)
        self.fails(2, "generate", "vlm", "--prompt", "")
        blind = self.ok("generate", "vlm", "--prompt", PROMPT, "--max-new-tokens", 4)
        self.assertIn("warning: no picture given: the model answers from text alone", blind.err)
        self.assertNotIn("no picture", self.ok(*self.asked("generate")).err)

    def test_an_empty_prompt_beside_a_picture_is_one(self):
        silent = ("vlm", "--image", "scene:1", "--prompt", "", "--max-new-tokens", 4)
        ids = self.ok("generate", *silent, "--json").json()["ids"]
        self.assertEqual(len(ids), 4)
        found = self.ok("analyse", *silent, "--analysis", "attention_from", "--json").json()["items"][0]["answer"]
        self.assertEqual(found["ids"], ids)
        self.ok("tokens", *silent)
        self.ok("trace", *silent, "--keep", "output", "-o", "t.safetensors")
        self.ok("render", *silent, "--analysis", "attention_from", "-o", "m.png")
        self.assertTrue((self.folder / "m.png").exists())

    def test_pictures_name_prompt_and_answer(self):
        self.ok(*self.asked("render", "--analysis", "attention_from", "-o", "m.png"))
        text = "\n".join(png_text(self.folder / "m.png").values())
        self.assertIn(f'| prompt "{PROMPT}" | answer "', text)

    def test_selected_words_are_named_under_a_map_of_the_picture(self):
        tokens = self.ok(*self.asked("tokens", "--json")).json()["stages"]["text"]
        for selected in (tokens[-1]["i"], tokens[0]["i"]):
            self.ok(*self.asked("render", "--analysis", "attention_from", "--param", f"queries={selected}", "-o", "m.svg"))
            text = re.sub(r"<[^>]*>", "", (self.folder / "m.svg").read_text())
            self.assertIn("Selected, without a place in the picture", text)
            self.assertIn(f"(token {selected})", text)
        words = ",".join(str(t["i"]) for t in tokens if t["kind"] != "image")
        self.ok(*self.asked("render", "--analysis", "attention_from", "--param", f"queries={words}", "-o", "w.svg"))
        text = re.sub(r"<[^>]*>", "", (self.folder / "w.svg").read_text())
        self.assertIn(f"Selected, without a place in the picture: {words.count(',') + 1} tokens.", text)
        patch = next(t["i"] for t in tokens if t["kind"] == "image")
        self.ok(*self.asked("render", "--analysis", "attention_from", "--param", f"queries={patch}", "-o", "p.svg"))
        self.assertNotIn("Selected, without a place", re.sub(r"<[^>]*>", "", (self.folder / "p.svg").read_text()))

    def test_masked_sinks_among_the_words_are_counted(self):
        demo = ("demo:vlm", "--image", "scene:7", "--prompt", "What is the largest object?", "--analysis", "attention_from",
                "--param", "layers=4", "--sinks", "mask")
        self.ok("render", *demo, "-o", "k.png")
        self.assertRegex(png_text(self.folder / "k.png")["Description"], r"sinks mask \((none|[0-9]+) found here, [0-9]+ elsewhere\)")

    def test_every_picture_of_a_prompt_is_drawn(self):
        asked = self.asked("render", "--image", "scene:2", "--analysis", "attention_from")
        self.ok(*asked, "-o", "m.svg")
        numbered = [(self.folder / f"m-{i}.svg").read_bytes() for i in range(2)]
        self.assertFalse((self.folder / "m.svg").exists() or (self.folder / "m-2.svg").exists())
        self.ok(*asked, "--finding", "maps", "-o", "m.svg")
        sheet = (self.folder / "m.svg").read_text()
        for label in ("picture 0", "picture 1"):
            self.assertIn(f">{label}</text>", sheet)
        self.assertRegex(sheet, r"Shares of the attention: picture 0 [0-9.]+ %, picture 1 [0-9.]+ %, text [0-9.]+ %")
        # A session without a named result is drawn as render draws it; one that names the sheet is that sheet.
        session = lambda **picture: self.session(
            model={"reference": "vlm"}, input={"prompt": PROMPT, "images": ["scene:1", "scene:2"], "max_new_tokens": 4},
            analyses=[{"id": "attention_from"}], pictures=[{"analysis": 0, "file": "p.svg", **picture}])
        self.ok("run", session(), "-o", "out")
        self.assertEqual([(self.folder / f"out/p-{i}.svg").read_bytes() for i in range(2)], numbered)
        self.assertFalse((self.folder / "out/p.svg").exists())
        self.ok("run", session(finding="maps"), "-o", "one")
        self.assertEqual((self.folder / "one/p.svg").read_text(), sheet)
        # The picture opens again as what it is.
        self.ok("run", "m.svg", "-o", "again")
        self.assertEqual((self.folder / "again/01-attention_from.png").exists(), True)
        # One map of several has the scale of all.
        self.ok(*asked, "--finding", "map 1", "-o", "second.svg")
        self.assertEqual((self.folder / "second.svg").read_bytes(), numbered[1])
        wrong = self.fails(2, *asked, "--finding", "maps", "--painter", "head_grid", "-o", "h.svg").err
        self.assertIn('painter head_grid draws one map, "maps" are several side by side', wrong)
        self.assertIn("heat_overlay", wrong)
        unknown = self.fails(2, *asked, "--finding", "maps 1", "-o", "h.svg").err
        self.assertIn("maps (maps side by side)", unknown)

    def test_a_sheet_of_one_picture_is_its_map(self):
        self.ok(*self.asked("render", "--analysis", "attention_from", "--finding", "maps", "-o", "a.svg"))
        self.ok(*self.asked("render", "--analysis", "attention_from", "--finding", "map", "-o", "b.svg"))
        marks = lambda name: (self.folder / name).read_text().split("<metadata")[0]
        self.assertEqual(marks("a.svg"), marks("b.svg"))


if __name__ == "__main__":
    unittest.main()
