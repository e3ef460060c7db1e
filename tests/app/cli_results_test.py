"""What the subcommands give: keys, shapes, numbers that numpy agrees with, equal bytes."""
import csv
import json
import shutil
import unittest

from cli_support import SOURCE, CliTest, np, png_text, read_safetensors, write_ppm, write_safetensors


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class Describe(CliTest):
    def test_info(self):
        info = self.ok("info", "demo:vit", "--json").json()
        self.assertEqual(info["family"], "vit")
        for key in ("model_type", "architecture", "dtype", "parameters", "stages", "sites", "weights"):
            self.assertIn(key, info)
        stage, site = info["stages"][0], info["sites"][0]
        self.assertEqual(set(stage), {"id", "layers", "hidden", "grid", "prefix_tokens"})
        self.assertLessEqual({"address", "kind", "heads", "key_value_heads", "head_dim", "causal", "module"}, set(site))
        self.assertEqual(site["address"], "vision.0.self")
        self.assertEqual(len(info["sites"]), stage["layers"])
        self.assertEqual(info["weights"]["missing"], [])
        self.assertIn("vision.0.self", self.ok("info", "demo:vit").out)

    def test_lists(self):
        families = {f["id"]: f for f in self.ok("families", "--json").json()["families"]}
        self.assertIn("vit", families["vit"]["model_types"])
        self.assertIn("replay", families)
        for what in ("analyses", "interventions", "operators", "colormaps", "demos", "lessons"):
            entries = self.ok("list", what, "--json").json()[what]
            self.assertTrue(entries, what)
            self.assertEqual(len({e["id"] for e in entries}), len(entries))
            text = self.ok("list", what).out
            for entry in entries:
                self.assertIn(entry["id"], text)
        demos = [d["id"] for d in self.ok("list", "demos", "--json").json()["demos"]]
        self.assertIn("demo:vit", demos)
        self.assertIn("demo:vlm", demos)

    def test_tokens_cover_the_picture(self):
        write_ppm(self.folder / "a.ppm", 300, 200)
        tokens = self.ok("tokens", "demo:vit", "--image", "a.ppm", "--json").json()
        image = tokens["images"][0]
        self.assertEqual((image["width"], image["height"]), (300, 200))
        stage = tokens["stages"]["vision"]
        self.assertEqual(stage[0]["kind"], "special")
        patches = [t for t in stage if t["kind"] == "image"]
        self.assertEqual(len(patches), image["grid"][0] * image["grid"][1])
        area = sum(t["rect"][2] * t["rect"][3] for t in patches) + sum(r[2] * r[3] for r in image["unread"])
        self.assertAlmostEqual(area, 300 * 200, delta=1e-3)
        several = self.ok("tokens", "demo:vit", "--image", "a.ppm", "--image", "scene:1", "--json").json()
        self.assertEqual(set(several), {"stages", "images"})
        self.assertEqual(several["images"][0], image)
        self.assertEqual(len(several["images"]), 2)
        first = [t for t in several["stages"]["vision"] if t["image"] == 0]
        second = [t for t in several["stages"]["vision"] if t["image"] == 1]
        self.assertEqual([t["i"] for t in second], list(range(len(stage))))
        self.assertEqual([{**t, "image": 0} for t in stage], first)
        self.assertEqual(len(several["stages"]["vision"]), len(first) + len(second))

    def test_verify(self):
        report = self.ok("verify", "demo:vit", "--json").json()
        loops = report["float64_loops"]
        self.assertEqual([site["name"] for site in loops], [f"vision.{i}.self" for i in range(len(loops))])
        self.assertGreater(len(loops), 0)
        for site in loops:
            self.assertTrue(site["finite"])
            self.assertLess(max(site["probabilities"], site["log_sum_exp"], site["output"]), 1e-4)
            self.assertGreater(site["output"], 0)
        self.assertTrue(report["passed"])
        self.assertLess(report["largest"]["relative"], 1e-4)
        self.assertGreater(report["largest"]["absolute"], 0)  # two routes, not one twice
        self.assertTrue(report["routes"][0]["route"])
        self.assertEqual(len(report["top"]), 5)
        self.assertIn("passed", self.ok("verify", "demo:vit", "--image", "scene:3").out)


class Trace(CliTest):
    def trace(self, *arguments, keep="probs,qkv,lse,stats,attention_output,hidden,output,input", images=("scene:7",)):
        flags = [flag for image in images for flag in ("--image", image)]
        self.ok("trace", "demo:vit", *flags, "--keep", keep, "-o", "t.safetensors", *arguments)
        return read_safetensors(self.folder / "t.safetensors")

    def test_contents_against_numpy(self):
        arrays, metadata = self.trace()
        info = self.ok("info", "demo:vit", "--json").json()
        layers, hidden = info["stages"][0]["layers"], info["stages"][0]["hidden"]
        for site in info["sites"]:
            name, heads, dim = site["address"], site["heads"], site["head_dim"]
            q, k = (arrays[f"{name}/{x}"].astype(np.float64) for x in "qk")
            self.assertEqual(q.shape, (heads, q.shape[1], dim))
            logits = q @ k.transpose(0, 2, 1) / np.sqrt(dim)
            probs = softmax(logits)
            np.testing.assert_allclose(arrays[f"{name}/probs"], probs, atol=2e-6)
            top = logits.max(-1)
            np.testing.assert_allclose(arrays[f"{name}/lse"], top + np.log(np.exp(logits - top[..., None]).sum(-1)), atol=2e-5)
            np.testing.assert_allclose(arrays[f"{name}/colsum"], probs.sum(1), atol=2e-5)
            np.testing.assert_allclose(arrays[f"{name}/colmax"], probs.max(1), atol=2e-6)
            np.testing.assert_allclose(arrays[f"{name}/rowmax"], probs.max(-1), atol=2e-6)
            np.testing.assert_allclose(arrays[f"{name}/entropy"], -(probs * np.log(probs)).sum(-1), atol=2e-5)
            self.assertEqual(arrays[f"{name}/topk_index"].shape, (*probs.shape[:2], 8))
            self.assertEqual(arrays[f"{name}/output"].shape, (probs.shape[1], hidden))
        for i in range(layers + 1):
            self.assertEqual(arrays[f"hidden/vision/{i}"].shape[1], hidden)
        self.assertEqual(arrays["input/pixel_values"].ndim, 3)
        self.assertIn("output/logits", arrays)
        for key in ("fovea.version", "fovea.session", "fovea.token_map", "fovea.model"):
            self.assertIn(key, metadata)
        self.assertEqual(json.loads(metadata["fovea.session"])["model"]["reference"], "demo:vit")
        self.assertIn("vision", json.loads(metadata["fovea.token_map"])["stages"])

    def test_keep_and_sites_choose(self):
        arrays, _ = self.trace("--sites", "vision.1.*", "--sites", "vision.3.self", keep="lse")
        self.assertEqual(set(arrays), {"vision.1.self/lse", "vision.3.self/lse"})

    def test_several_pictures(self):
        arrays, metadata = self.trace(keep="output", images=("scene:7", "scene:8"))
        self.assertEqual(set(arrays), {"image0/output/logits", "image1/output/logits"})
        alone, _ = self.trace(keep="output", images=("scene:8",))
        np.testing.assert_array_equal(arrays["image1/output/logits"], alone["output/logits"])

    def test_observation_changes_nothing(self):
        plain, _ = self.trace(keep="output")
        watched, _ = self.trace()
        np.testing.assert_array_equal(plain["output/logits"], watched["output/logits"])

    def test_dtype_of_the_file(self):
        arrays, _ = self.trace("--dtype", "float32", keep="output")
        self.assertEqual(arrays["output/logits"].dtype, np.float32)

    def test_raw_tensors_give_the_same(self):
        arrays, _ = self.trace(keep="input,output")
        write_safetensors(self.folder / "in.safetensors", {"pixel_values": arrays["input/pixel_values"][None]})
        self.ok("trace", "demo:vit", "--tensors", "in.safetensors", "--keep", "output", "-o", "u.safetensors")
        again, _ = read_safetensors(self.folder / "u.safetensors")
        np.testing.assert_array_equal(arrays["output/logits"], again["output/logits"])

    def test_edits_change_the_result(self):
        plain, _ = self.trace(keep="output,probs")
        same, _ = self.trace("--edit", 'temperature{"temperature":1}', keep="output")
        np.testing.assert_array_equal(plain["output/logits"], same["output/logits"])
        muted, _ = self.trace("--edit", 'mute_heads{"layers":"1","heads":"0"}', keep="output,probs")
        self.assertGreater(np.abs(plain["output/logits"] - muted["output/logits"]).max(), 1e-4)
        np.testing.assert_array_equal(plain["vision.0.self/probs"], muted["vision.0.self/probs"])
        self.assertEqual(np.abs(muted["vision.1.self/probs"][0]).max(), 0)
        cold, _ = self.trace("--edit", 'temperature{"layers":"0","temperature":0.5}', keep="probs,qkv")
        q, k = (cold[f"vision.0.self/{x}"].astype(np.float64) for x in "qk")
        expected = softmax(q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1]) / 0.5)
        np.testing.assert_allclose(cold["vision.0.self/probs"], expected, atol=5e-6)


class Analyse(CliTest):
    BASE = ("analyse", "demo:vit", "--image", "scene:7", "--analysis", "attention_from")

    def test_formats_agree(self):
        document = self.ok(*self.BASE, "--json").json()
        finding = document["items"][0]["findings"][0]
        self.assertEqual(document["analysis"], "attention_from")
        self.assertEqual(finding["kind"], "Grid")
        values = np.array(finding["data"]["values"], np.float32).reshape(-1, finding["data"]["rows"], finding["data"]["columns"])
        for name in ("x.json", "x.npz", "x.safetensors", "x.csv"):
            self.assertEqual(self.ok(*self.BASE, "-o", name).out, "")
        self.assertTrue(document.pop("routes"))  # of this run, not of the numbers
        self.assertEqual(json.loads((self.folder / "x.json").read_text()), document)
        np.testing.assert_array_equal(np.load(self.folder / "x.npz")[finding["name"]], values)
        np.testing.assert_array_equal(read_safetensors(self.folder / "x.safetensors")[0][finding["name"]], values)
        lines = (self.folder / "x.csv").read_text().splitlines()
        self.assertEqual(len(lines), 1 + values.size)
        np.testing.assert_allclose([float(line.split(",")[-1]) for line in lines[1:]], values.ravel(), rtol=1e-6)
        self.assertEqual(self.ok(*self.BASE, "--format", "csv", "-o", "-").out.splitlines(), lines)

    def test_equals_the_trace(self):
        self.ok("trace", "demo:vit", "--image", "scene:7", "--keep", "probs", "-o", "t.safetensors")
        arrays, _ = read_safetensors(self.folder / "t.safetensors")
        last = max((n for n in arrays if n.endswith("/probs")), key=lambda n: int(n.split(".")[1]))
        finding = self.ok(*self.BASE).json()["items"][0]["findings"][0]["data"]
        row = arrays[last].astype(np.float64).mean(0)[0]
        np.testing.assert_allclose(np.ravel(finding["values"]), row[-finding["rows"] * finding["columns"]:], atol=1e-6)

    def test_every_analysis_with_its_defaults(self):
        for entry in self.ok("list", "analyses", "--json").json()["analyses"]:
            with self.subTest(entry["id"]):
                if entry["id"] in ("logit_lens", "next_token", "pixel_rollout"):  # of models with a text side
                    self.fails(2, "analyse", "demo:vit", "--image", "scene:7", "--analysis", entry["id"])
                    continue
                cheap = [f"--param={p['name']}=2" for p in entry["params"] if p["name"] in ("samples", "steps")]
                document = self.ok("analyse", "demo:vit", "--image", "scene:7", "--analysis", entry["id"], *cheap).json()
                self.assertTrue(document["items"][0]["findings"])

    def test_several_pictures(self):
        document = self.ok(*self.BASE, "--image", "scene:8", "--json").json()
        self.assertEqual([item["input"] for item in document["items"]], ["scene:7", "scene:8"])
        self.ok(*self.BASE, "--image", "scene:8", "-o", "x.npz")
        self.assertTrue(any(name.startswith("image1/") for name in np.load(self.folder / "x.npz").files))


class Render(CliTest):
    BASE = ("render", "demo:vit", "--image", "scene:7", "--analysis", "attention_from")

    def test_equal_commands_equal_bytes(self):
        for name in ("a.svg", "a.png", "a.pdf"):
            with self.subTest(name):
                self.ok(*self.BASE, "-o", name)
                self.ok(*self.BASE, "-o", "b" + name)
                self.assertEqual((self.folder / name).read_bytes(), (self.folder / ("b" + name)).read_bytes())
        self.ok(*self.BASE, "-o", "c.svg", "--colormap", "viridis")
        self.assertNotEqual((self.folder / "a.svg").read_bytes(), (self.folder / "c.svg").read_bytes())

    def test_a_session_gives_the_same_bytes(self):
        self.ok(*self.BASE, "-o", "direct.svg")
        self.ok("run", self.session(), "-o", "out")
        self.assertEqual((self.folder / "direct.svg").read_bytes(), (self.folder / "out/map.svg").read_bytes())
        self.ok("run", self.session(), "-o", "again")
        for path in (self.folder / "out").iterdir():
            self.assertEqual(path.read_bytes(), (self.folder / "again" / path.name).read_bytes())

    def test_the_recipe_opens_as_a_session(self):
        self.ok(*self.BASE, "--image", "scene:8", "--edit", 'mute_heads{"heads":"1"}', "-o", "a.png")
        names = sorted(p.name for p in self.folder.iterdir())
        self.assertEqual(names, ["a-0.png", "a-1.png"])
        documents = [value for value in png_text(self.folder / "a-1.png").values() if '"schema"' in value]
        self.assertEqual(len(documents), 1)
        (self.folder / "again.fovea.json").write_text(documents[0])
        again = json.loads(documents[0])
        self.assertEqual(again["input"]["images"], ["scene:8"])
        self.assertEqual(again["pictures"][0]["display"]["scale"], "linked")
        again["pictures"][0]["file"] = "same.png"
        (self.folder / "again.fovea.json").write_text(json.dumps(again))
        self.ok("run", "again.fovea.json", "-o", "out")
        self.assertEqual((self.folder / "a-1.png").read_bytes(), (self.folder / "out/same.png").read_bytes())

    def test_linked_scale_spans_the_pictures(self):
        self.ok(*self.BASE, "--image", "scene:8", "-o", "a.svg")
        texts = [(self.folder / f"a-{i}.svg").read_text() for i in (0, 1)]
        recipes = {text[text.index("linked scale"):].split("|")[0].strip() for text in texts}
        self.assertEqual(len(recipes), 1)
        alone = set()
        for scene in ("scene:7", "scene:8"):
            self.ok("render", "demo:vit", "--image", scene, "--analysis", "attention_from", "-o", "alone.svg")
            text = (self.folder / "alone.svg").read_text()
            alone.add(text[text.index("linked scale"):].split("|")[0].strip())
        self.assertEqual(len(alone), 2)
        ranges = [tuple(map(float, recipe.split()[2::2])) for recipe in alone]
        spanned = tuple(map(float, recipes.pop().split()[2::2]))
        self.assertEqual(spanned, (min(r[0] for r in ranges), max(r[1] for r in ranges)))

    def test_recipe_can_be_switched_off(self):
        self.ok(*self.BASE, "-o", "a.svg")
        self.ok(*self.BASE, "--no-recipe", "-o", "b.svg")
        self.assertIn("attention_from", (self.folder / "a.svg").read_text())
        self.assertNotEqual((self.folder / "a.svg").read_bytes(), (self.folder / "b.svg").read_bytes())

    def test_the_recipe_names_what_the_model_read(self):
        self.ok("trace", "demo:vit", "--image", "scene:7", "--keep", "input", "-o", "t.safetensors")
        pixels = read_safetensors(self.folder / "t.safetensors")[0]["input/pixel_values"]
        write_safetensors(self.folder / "in.safetensors", {"pixel_values": pixels[None]})
        base = ("render", "demo:vit", "--tensors", "in.safetensors", "--analysis", "rollout")
        self.ok(*base, "--image", "scene:8", "-o", "both.png")
        self.assertIn(" | tensors in.safetensors over scene 8 | ", png_text(self.folder / "both.png")["Description"])
        self.ok(*base, "-o", "raw.png")
        self.assertIn(" | tensors in.safetensors | ", png_text(self.folder / "raw.png")["Description"])

    def test_sink_policies_draw_something_else(self):
        bodies = set()
        for policy in ("keep", "mask", "redistribute"):
            self.ok(*self.BASE, "--sinks", policy, "-o", policy + ".svg")
            bodies.add((self.folder / (policy + ".svg")).read_bytes())
        self.assertEqual(len(bodies), 3)


class Notices(CliTest):
    def setUp(self):
        super().setUp()
        shutil.copytree(SOURCE / "resources/demo_models/vit-scenes", self.folder / "m",
                        ignore=shutil.ignore_patterns("*.py", "*.cpp", "preprocessor_config.json"))

    def test_assumed_preprocessing_is_said_wherever_it_matters(self):
        base = ("m", "--image", "scene:7")
        notices = self.ok("info", "m", "--json").json()["weights"]["notices"]
        said = [text for text in notices if "preprocessor_config" in text]
        self.assertEqual(len(said), 1)
        warning = "warning: " + said[0]
        self.assertIn(warning, self.ok("render", *base, "--analysis", "rollout", "-o", "a.png").err)
        self.assertIn(warning, self.ok("analyse", *base, "--analysis", "rollout", "-o", "a.json").err)
        self.assertIn(warning, self.ok("trace", *base, "--keep", "output", "-o", "t.safetensors").err)
        self.assertIn(warning, self.ok("run", self.session(model={"reference": str(self.folder / "m")}), "-o", "out").err)
        self.assertNotIn("warning", self.ok("render", *base, "--analysis", "rollout", "-o", "b.png", "--quiet").err)
        self.assertIn(said[0], json.loads((self.folder / "a.json").read_text())["items"][0]["notices"])
        document = json.loads(png_text(self.folder / "a.png")["fovea.document"])
        self.assertIn(said[0], document["notices"])
        self.assertNotIn("warning", self.ok("render", "demo:vit", "--image", "scene:7", "--analysis", "rollout", "-o", "c.png").err)

    def test_a_folder_without_configuration_says_what_helps(self):
        (self.folder / "w").mkdir()
        shutil.copy(self.folder / "m/model.safetensors", self.folder / "w")
        error = self.fails(3, "info", "w").err
        self.assertIn("config.json beside model.safetensors", error)
        self.assertNotIn("To open the weight file alone", error)
        # Names of DINO, sizes of a tiny model: recognised, and the hint keeps its word.
        names = {"cls_token": (1, 1, 192), "pos_embed": (1, 5, 192), "patch_embed.proj.weight": (192, 3, 16, 16),
                 "patch_embed.proj.bias": (192,), "norm.weight": (192,), "norm.bias": (192,)}
        for name, shape in (("norm1.weight", (192,)), ("norm1.bias", (192,)), ("norm2.weight", (192,)), ("norm2.bias", (192,)),
                            ("attn.qkv.weight", (576, 192)), ("attn.qkv.bias", (576,)), ("attn.proj.weight", (192, 192)),
                            ("attn.proj.bias", (192,)), ("mlp.fc1.weight", (768, 192)), ("mlp.fc1.bias", (768,)),
                            ("mlp.fc2.weight", (192, 768)), ("mlp.fc2.bias", (192,))):
            names["blocks.0." + name] = shape
        (self.folder / "d").mkdir()
        write_safetensors(self.folder / "d/dino.safetensors",
                          {name: np.zeros(shape, np.float32) for name, shape in names.items()})
        self.assertIn("To open the weight file alone: d/dino.safetensors", self.fails(3, "info", "d").err)
        self.ok("info", "d/dino.safetensors")

    def test_a_lone_weight_file_is_named(self):
        self.ok("render", "m/model.safetensors", "--image", "scene:7", "--analysis", "rollout", "-o", "a.svg")
        self.assertIn("model.safetensors (cpu", (self.folder / "a.svg").read_text())


class Sinks(CliTest):
    BASE = ("analyse", "demo:vit", "--image", "scene:7", "--analysis", "sinks")

    def test_every_token_has_its_row(self):
        tokens = len(self.ok("tokens", "demo:vit", "--image", "scene:7", "--json").json()["stages"]["vision"])
        self.ok(*self.BASE, "-o", "s.csv")
        self.assertEqual(len((self.folder / "s.csv").read_text().splitlines()), 1 + tokens)
        self.ok(*self.BASE, "-o", "s.npz")
        arrays = np.load(self.folder / "s.npz")
        self.assertEqual(len(arrays["table/token"]), tokens)
        for name in ("row", "column", "norm", "norm z", "sink"):  # with gaps, and yes or no
            self.assertEqual(len(arrays["table/" + name]), tokens)
        self.assertTrue(np.isnan(arrays["table/row"]).any() and not np.isnan(arrays["table/row"]).all())
        self.assertLessEqual(set(arrays["table/sink"]), {0, 1})
        self.ok(*self.BASE, "-o", "s.safetensors")
        tensors, metadata = read_safetensors(self.folder / "s.safetensors")
        self.assertEqual(json.loads(metadata["fovea.columns_left_out"]), ["table/kind", "table/name"])
        texts = json.loads(metadata["fovea.texts"])
        listed = list(csv.DictReader((self.folder / "s.csv").open(newline="", encoding="utf-8")))
        for name in ("kind", "name"):  # texts are arrays of npz, and metadata of safetensors
            self.assertEqual(arrays["table/" + name].tolist(), [row[name] for row in listed])
            self.assertEqual(texts["table/" + name], [row[name] for row in listed])
        self.ok("render", *self.BASE[1:], "-o", "s.svg")
        self.assertIn(f"24 of {tokens} rows shown", (self.folder / "s.svg").read_text())
        few = self.ok(*self.BASE, "--param", "rows=5").json()["items"][0]["findings"][0]
        self.assertIn(f"of {tokens} tokens listed", few["note"])


class Labels(CliTest):
    def test_arrays_say_which_tokens_they_are_about(self):
        base = ("analyse", "demo:vit", "--image", "scene:7", "--analysis", "attention_matrix")
        tokens = self.ok("tokens", "demo:vit", "--image", "scene:7", "--json").json()["stages"]["vision"]
        self.ok(*base, "-o", "m.npz")
        self.ok(*base, "-o", "m.safetensors")
        arrays = np.load(self.folder / "m.npz")
        tensors, metadata = read_safetensors(self.folder / "m.safetensors")
        texts = json.loads(metadata["fovea.texts"])
        self.assertEqual(json.loads(metadata["fovea.columns_left_out"]), [])
        self.assertEqual(arrays["matrix"].shape, (len(tokens), len(tokens)))
        for axis in ("row", "column"):
            np.testing.assert_array_equal(arrays[f"matrix/{axis}_tokens"], np.arange(len(tokens)))
            np.testing.assert_array_equal(tensors[f"matrix/{axis}_tokens"], np.arange(len(tokens)))
            labels = arrays[f"matrix/{axis}_labels"]
            self.assertEqual(labels.dtype.kind, "U")
            self.assertEqual(labels.tolist(), texts[f"matrix/{axis}_labels"])
            for label, token in zip(labels, tokens, strict=True):
                row, column = token.get("grid", (-1, -1))
                self.assertEqual(label, token.get("text") or f"patch (row {row}, column {column})")


class More(CliTest):
    def test_scene(self):
        self.ok("scene", "--seed", "7", "-o", "a.png", "--truth", "a.json")
        self.ok("scene", "--seed", "7", "-o", "b.ppm")
        truth = json.loads((self.folder / "a.json").read_text())
        self.assertTrue(truth["objects"])
        self.assertEqual((self.folder / "b.ppm").read_bytes()[:2], b"P6")
        drawn = self.ok("trace", "demo:vit", "--image", "scene:7", "--image", "b.ppm", "--image", "a.png", "--keep", "output",
                        "-o", "t.safetensors")
        arrays, _ = read_safetensors(self.folder / "t.safetensors")
        for i in (1, 2):
            np.testing.assert_array_equal(arrays["image0/output/logits"], arrays[f"image{i}/output/logits"])
        self.fails(2, "scene", "--seed", "1", "--width", "3", "-o", "c.png")

    def test_compare(self):
        a, b = self.session("a.fovea.json"), self.session("b.fovea.json", edits=[{"id": "mute_heads", "params": {"heads": "0"}}])
        same = self.ok("compare", a, a, "--json").json()["items"][0]
        self.assertEqual(same["outputs"][0]["absolute"], 0)
        other = self.ok("compare", a, b, "--json").json()["items"][0]
        self.assertGreater(other["outputs"][0]["absolute"], 0)
        self.assertTrue(other["analyses"][0]["findings"])
        # --edit is for both sides: the same heads muted, nothing is left to differ.
        edit = 'mute_heads{"heads":"all","layers":"all"}'
        edited = self.ok("compare", a, b, "--edit", edit, "--json").json()["items"][0]
        self.assertEqual(edited["outputs"][0]["absolute"], 0)
        # Tables are sorted by what they find: each token is subtracted from itself.
        sinks = [self.session(name, analyses=[{"id": "sinks"}], edits=edits) for name, edits in (
            ("p.fovea.json", []), ("q.fovea.json", [{"id": "scale_keys", "params": {"tokens": "cls", "factor": 0.1}}]))]
        tables = []
        for session in sinks:
            self.ok("run", session, "-o", session.stem)
            items = json.loads((self.folder / session.stem / "01-sinks.json").read_text())["items"]
            table = next(f["data"] for f in items[0]["findings"] if f["name"] == "table")
            names = [column["name"] for column in table["columns"]]
            tables.append({row[0]: row[names.index("incoming mass")] for row in table["rows"]})
        self.assertNotEqual(list(tables[0]), list(tables[1]))
        entries = {e["name"]: e for e in self.ok("compare", *sinks, "--json").json()["items"][0]["analyses"][0]["findings"]}
        self.assertNotIn("table/token", entries)
        expected = max(abs(tables[1][token] - mass) for token, mass in tables[0].items())
        self.assertAlmostEqual(entries["table/incoming mass"]["absolute"], expected, places=5)
        self.assertEqual(entries["table/incoming mass"]["rows_only_in_a"], 0)
        c = self.session("c.fovea.json", input={"images": ["scene:7", "scene:8"]}, analyses=[{"id": "rollout"}], pictures=[])
        rest = self.ok("compare", a, c).err
        self.assertIn("analysis 0 is attention_from in A and rollout in B", rest)
        self.assertIn("B has 2", rest)
        # That the inputs differ is not left to the reader to find out.
        d = self.session("d.fovea.json", input={"images": ["scene:8"]})
        self.assertFalse(same["different_pictures"])
        self.assertTrue(self.ok("compare", a, d, "--json").json()["items"][0]["different_pictures"])
        text = self.ok("compare", a, d)
        self.assertIn("A and B have different pictures", text.out)
        self.assertIn("warning: A and B have different pictures", text.err)
        self.assertNotIn("different pictures", self.ok("compare", a, b).out)
        self.ok("compare", a, b, "-o", "d.svg")
        self.assertIn("Difference", (self.folder / "d.svg").read_text())
        self.assertIn("B - A, scale of this picture", (self.folder / "d.svg").read_text())
        self.ok("compare", a, b, "-o", "d.json")
        self.assertEqual(json.loads((self.folder / "d.json").read_text())["items"][0], other)

    def test_compare_tells_where_answers_part(self):
        asked = {"images": ["scene:7"], "prompt": "What is the largest object?", "max_new_tokens": 8}
        edit = {"id": "mute_heads", "params": {"layers": "all", "heads": "all"}}
        common = dict(model={"reference": "demo:vlm"}, pictures=[{"analysis": 0}])
        a = self.session("a.fovea.json", input=asked, analyses=[{"id": "attention_from", "params": {"layers": "3", "queries": "writing:0"}}],
                         **common)
        b = self.session("b.fovea.json", input=asked, edits=[edit],
                         analyses=[{"id": "attention_from", "params": {"layers": "4", "queries": "writing:0"}}], **common)
        generate = ("generate", "demo:vlm", "--image", "scene:7", "--prompt", asked["prompt"], "--max-new-tokens", 8, "--json")
        answers = [self.ok(*generate, *more).json() for more in
                   ((), ("--edit", 'mute_heads{"layers":"all","heads":"all"}'))]
        first = next(i for i, (x, y) in enumerate(zip(answers[0]["ids"], answers[1]["ids"])) if x != y)
        json_ = self.ok("compare", a, b, "--json").json()
        item = json_["items"][0]
        for side, answer in zip("ab", answers):
            self.assertEqual((item["answer_" + side]["text"], item["answer_" + side]["ids"]), (answer["text"], answer["ids"]))
        self.assertEqual(item["answers_part"], {"token": first, "a": answers[0]["steps"][first]["text"],
                                                "b": answers[1]["steps"][first]["text"]})
        self.assertEqual([change["what"] for change in json_["differs"]], ["edits", "attention_from: layers"])
        self.assertEqual(json_["differs"][0]["a"], "")
        self.assertIn("mute_heads{", json_["differs"][0]["b"])
        self.assertEqual((json_["differs"][1]["a"], json_["differs"][1]["b"]), ("3", "4"))
        text = self.ok("compare", a, b).out
        self.assertIn("  edits\n    A none\n    B mute_heads{", text)
        self.assertIn(f"the answers part at token {first} (counted from 0)\n    A {json.dumps(answers[0]['text'])}, token ", text)
        self.ok("compare", a, b, "-o", "d.json")
        self.assertEqual(json.loads((self.folder / "d.json").read_text()), json_)
        self.assertIn("the answers part at token", self.ok("compare", a, b, "-o", "d.svg").err)
        same = self.ok("compare", a, a, "--json").json()
        self.assertEqual((same["differs"], same["items"][0]["answers_part"]), ([], None))
        self.assertIn(f"the answers are the same: {json.dumps(answers[0]['text'])}", self.ok("compare", a, a).out)
        # Traces hold their answers, pictures the session that gives them.
        for name, more in (("a", ()), ("b", ("--edit", 'mute_heads{"layers":"all","heads":"all"}'))):
            asked_so = ("demo:vlm", "--image", "scene:7", "--prompt", asked["prompt"], "--max-new-tokens", 8, *more)
            self.ok("trace", *asked_so, "--keep", "output,probs", "-o", name + ".safetensors")
            self.ok("render", *asked_so, "--analysis", "attention_from", "-o", name + ".png")
        traced = self.ok("compare", "a.safetensors", "b.safetensors", "--json").json()["items"][0]
        self.assertEqual(traced["answers_part"], item["answers_part"])
        self.assertTrue(traced["outputs"])
        self.assertEqual(self.ok("compare", "a.png", "b.png", "--json").json()["items"][0]["answers_part"], item["answers_part"])

    def test_the_lesson_about_sinks_has_some(self):
        self.ok("run", SOURCE / "resources/sessions/sinks.fovea.json", "-o", "out")
        findings = json.loads((self.folder / "out/01-sinks.json").read_text())["items"][0]["findings"]
        table = next(f["data"] for f in findings if f["name"] == "table")
        at = [column["name"] for column in table["columns"]].index("sink")
        found = sum(row[at] == "yes" for row in table["rows"])
        self.assertGreater(found, 0)
        self.assertIn(f"sinks mask ({found} found)", png_text(self.folder / "out/without_sinks.png")["Description"])
        self.assertNotEqual((self.folder / "out/with_sinks.png").read_bytes(), (self.folder / "out/without_sinks.png").read_bytes())

    def test_demo(self):
        paths = self.ok("demo", "-o", "shown").out.split()
        suffixes = {path.rsplit(".", 1)[1] for path in paths}
        self.assertEqual(suffixes, {"png", "svg", "json"})
        self.assertIn("shown/rollout.png", paths)
        self.assertIn("shown/ask/answer.png", paths)
        self.assertIn("Name all objects.", (self.folder / "shown/ask/answer.svg").read_text())
        for path in paths:
            self.assertGreater((self.folder / path).stat().st_size, 100)

    def test_quiet(self):
        result = self.ok("render", "demo:vit", "--image", "scene:7", "--analysis", "rollout", "-o", "a.svg", "--quiet")
        self.assertEqual((result.out, result.err), ("", ""))


if __name__ == "__main__":
    unittest.main()
