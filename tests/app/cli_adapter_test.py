"""--adapter DIR[:STRENGTH] and model.adapters of a session, on an adapter made for the demo model."""
import json
import unittest

from cli_support import SOURCE, CliTest, np, read_safetensors, write_safetensors


class Adapter(CliTest):
    def adapter(self, name="lora", factor=0.3, config=None, extra=None):
        weights, _ = read_safetensors(SOURCE / "resources/demo_models/vit-scenes/model.safetensors")
        random = np.random.default_rng(3)
        tensors = {}
        for weight in sorted(n for n in weights if n.endswith("attention.query.weight") or n.endswith("q_proj.weight")):
            out, size = weights[weight].shape
            path = "base_model.model." + weight[:-len(".weight")]
            tensors[path + ".lora_A.weight"] = (factor * random.standard_normal((2, size))).astype("float32")
            tensors[path + ".lora_B.weight"] = (factor * random.standard_normal((out, 2))).astype("float32")
        self.assertGreater(len(tensors), 2)
        folder = self.folder / name
        folder.mkdir()
        (folder / "adapter_config.json").write_text(json.dumps(config or {"peft_type": "LORA", "r": 2, "lora_alpha": 4}))
        write_safetensors(folder / "adapter_model.safetensors", {**tensors, **(extra or {})})
        return name

    def logits(self, *flags):
        self.ok("trace", "demo:vit", "--image", "scene:1", "--keep", "output", "-o", "x.safetensors", *flags)
        arrays, _ = read_safetensors(self.folder / "x.safetensors")
        return next(value for name, value in sorted(arrays.items()) if name.endswith("logits"))

    def test_strength(self):
        name = self.adapter()
        plain = self.logits()
        np.testing.assert_array_equal(self.logits("--adapter", name + ":0"), plain)
        full = self.logits("--adapter", name)
        np.testing.assert_array_equal(self.logits("--adapter", name + ":1"), full)
        self.assertGreater(np.abs(full - plain).max(), 1e-3)
        self.assertGreater(np.abs(self.logits("--adapter", name + ":0.5") - full).max(), 1e-4)
        halves = self.logits("--adapter", name + ":0.5", "--adapter", name + ":0.5")
        np.testing.assert_allclose(halves, full, rtol=1e-3, atol=1e-3)

    def test_info_and_verify(self):
        name = self.adapter()
        self.assertIn("LoRA on", json.dumps(self.ok("info", "demo:vit", "--adapter", name, "--json").json()))
        self.ok("verify", "demo:vit", "--adapter", name)

    def test_another_base(self):
        config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "base_model_name_or_path": "maker/another"}
        name = self.adapter(config=config)
        self.assertIn("trained on maker/another", json.dumps(self.ok("info", "demo:vit", "--adapter", name, "--json").json()))

    def test_session(self):
        self.adapter()
        model = {"reference": "demo:vit", "adapters": [{"folder": "lora", "strength": 0.5}]}
        document = {"schema": 1, "model": model, "input": {"images": ["scene:1"]}, "analyses": [{"id": "rollout"}],
                    "pictures": [{"analysis": 0, "file": "a.svg"}]}
        (self.folder / "a.fovea.json").write_text(json.dumps(document))
        self.ok("run", "a.fovea.json", "-o", "with")
        self.ok("run", "a.fovea.json", "--adapter", "lora:0", "-o", "off")
        self.assertNotEqual((self.folder / "with/a.svg").read_text(), (self.folder / "off/a.svg").read_text())

    def test_refusals(self):
        base = ("tokens", "demo:vit", "--image", "scene:1", "--json", "--adapter")
        self.fails(2, *base, self.adapter() + ":1e9")
        self.fails(2, *base, "")
        self.assertIn("adapter_config.json", self.fails(3, *base, "missing").json()["error"]["what"])
        other = self.adapter("other", config={"peft_type": "IA3"})
        self.assertIn("IA3", self.fails(3, *base, other).json()["error"]["what"])
        stray = {"base_model.model.nowhere.lora_A.weight": np.zeros((2, 3), "float32"),
                 "base_model.model.nowhere.lora_B.weight": np.zeros((3, 2), "float32")}
        strange = self.adapter("strange", extra=stray)
        self.assertIn("nowhere.lora_A.weight", self.fails(3, *base, strange).json()["error"]["what"])
        broken = {"base_model.model.classifier.weight": np.full((2, 2), np.nan, "float32")}
        self.assertIn("NaN", self.fails(3, *base, self.adapter("broken", extra=broken)).json()["error"]["what"])
        narrow = self.adapter("narrow", config={"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["k_proj"]})
        error = self.fails(3, *base, narrow).json()["error"]
        self.assertIn("target_modules: expected to include", error["what"])
        self.assertIn("Correct target_modules", error["hint"])
        large = self.adapter("large", config={"peft_type": "LORA", "r": 4, "lora_alpha": 4})
        self.assertIn("lora_A", self.fails(3, *base, large).json()["error"]["what"])


if __name__ == "__main__":
    unittest.main()
