"""A trace file opened again as a model, also one that resources/python/record_trace.py wrote."""
import importlib.util
import json
import os
import subprocess
import sys
import unittest

from cli_support import SOURCE, CliTest, np, read_safetensors, write_ppm, write_safetensors


class Replay(CliTest):
    def analyse(self, model, analysis, *arguments):
        return self.ok("analyse", model, "--analysis", analysis, *arguments).json()["items"][0]["findings"]

    def values(self, findings):
        return np.concatenate([np.ravel(f["data"]["values"]).astype(float) for f in findings if f["kind"] == "Grid"])

    def test_same_numbers_from_probabilities_and_from_q_and_k(self):
        for keep in ("probs", "qkv", "probs,qkv,hidden,output"):
            self.ok("trace", "demo:vit", "--image", "scene:7", "--keep", keep, "-o", "t.safetensors")
            for analysis in ("attention_from", "attention_to", "rollout", "head_statistics", "dependency_tree"):
                with self.subTest((keep, analysis)):
                    fresh = self.analyse("demo:vit", analysis, "--image", "scene:7")
                    again = self.analyse("t.safetensors", analysis)
                    self.assertEqual([f["name"] for f in fresh], [f["name"] for f in again])
                    if analysis in ("attention_from", "attention_to", "rollout"):
                        np.testing.assert_allclose(self.values(again), self.values(fresh), atol=2e-6)

    def test_edited_probabilities_are_replayed(self):
        edit = ("--edit", 'temperature{"layers":"last","temperature":0.5}')
        self.ok("trace", "demo:vit", "--image", "scene:7", "--keep", "probs", "-o", "t.safetensors", *edit)
        fresh = self.analyse("demo:vit", "attention_from", "--image", "scene:7", *edit)
        np.testing.assert_allclose(self.values(self.analyse("t.safetensors", "attention_from")), self.values(fresh), atol=2e-6)

    def test_pictures(self):
        self.ok("trace", "demo:vit", "--image", "scene:7", "--keep", "probs", "-o", "t.safetensors")
        self.ok("render", "t.safetensors", "--image", "scene:7", "--analysis", "attention_from", "-o", "a.svg")
        self.ok("scene", "--seed", "7", "--width", "100", "-o", "small.ppm")
        self.fails(3, "render", "t.safetensors", "--image", "small.ppm", "--analysis", "attention_from", "-o", "b.svg")

    def test_the_picture_that_was_recorded_lies_under_the_heat_where_it_still_is(self):
        write_ppm(self.folder / "a.ppm", 96, 80)
        self.ok("trace", "demo:vit", "--image", "a.ppm", "--keep", "probs", "-o", "t.safetensors")
        render = ("render", "t.safetensors", "--analysis", "attention_from", "-o")
        given = self.ok(*render, "given.svg", "--image", "a.ppm")
        self.assertNotIn("holds no picture", given.err)
        found = self.ok(*render, "found.svg")
        self.assertNotIn("holds no picture", found.err)
        again = "was read again from where the recording had it"
        self.assertIn(again, (self.folder / "found.svg").read_text())
        self.assertNotIn(again, (self.folder / "given.svg").read_text())
        self.assertEqual((self.folder / "found.svg").read_text().count("<image"), (self.folder / "given.svg").read_text().count("<image"))
        for make_gone in (lambda: write_ppm(self.folder / "a.ppm", 90, 80), (self.folder / "a.ppm").unlink):
            make_gone()
            err = self.ok(*render, "gone.svg").err
            self.assertIn("warning: the recording holds no picture", err)
            self.assertIn("--image", err)
            gone = (self.folder / "gone.svg").read_text()
            self.assertIn("The recording holds no picture", gone)
            self.assertLess(len(gone), len((self.folder / "found.svg").read_text()))
        # A drawn scene is always there.
        self.ok("trace", "demo:vit", "--image", "scene:7", "--keep", "probs", "-o", "s.safetensors")
        self.assertNotIn("holds no picture", self.ok("render", "s.safetensors", "--analysis", "rollout", "-o", "s.svg").err)

    def test_norms_before_the_projection_are_a_caveat_of_what_uses_them(self):
        self.ok("trace", "demo:vit", "--image", "scene:7", "--keep", "qkv", "-o", "t.safetensors")
        rollout = self.ok("analyse", "t.safetensors", "--analysis", "rollout", "-o", "r.json")
        self.assertNotIn("output projection", rollout.err + (self.folder / "r.json").read_text())
        notes = {f["name"]: f["note"] for f in self.analyse("t.safetensors", "sinks")}
        self.assertIn("before the output projection", notes["table"])
        fresh = {f["name"]: f["note"] for f in self.analyse("demo:vit", "sinks", "--image", "scene:7")}
        self.assertNotIn("output projection", fresh["table"])

    def test_what_needs_a_forward_pass_is_refused(self):
        self.ok("trace", "demo:vit", "--image", "scene:7", "--keep", "probs,output", "-o", "t.safetensors")
        for arguments in (["--analysis", "input_gradient"], ["--analysis", "attention_from", "--edit", "mute_heads"]):
            with self.subTest(arguments):
                result = self.cli("analyse", "t.safetensors", *arguments)
                self.assertIn(result.code, (2, 3))
                self.assertIn("hint: ", result.err)
        self.fails(3, "verify", "t.safetensors")
        info = self.ok("info", "t.safetensors", "--json").json()
        self.assertEqual(info["family"], "replay")
        self.assertFalse(info["capabilities"]["gradient"])

    def test_two_items(self):
        self.ok("trace", "demo:vit", "--image", "scene:7", "--image", "scene:8", "--keep", "probs", "-o", "t.safetensors")
        fresh = self.ok("analyse", "demo:vit", "--image", "scene:8", "--analysis", "rollout").json()["items"][0]["findings"]
        again = self.ok("analyse", "t.safetensors", "--analysis", "rollout").json()["items"][1]["findings"]
        np.testing.assert_allclose(self.values(again), self.values(fresh), atol=2e-6)

    def test_hostile_traces(self):
        self.ok("trace", "demo:vit", "--image", "scene:7", "--keep", "probs,qkv,lse", "--sites", "vision.0.self", "-o", "t.safetensors")
        arrays, metadata = read_safetensors(self.folder / "t.safetensors")
        probs = arrays["vision.0.self/probs"]

        def broken(changed_arrays=None, changed_metadata=None):
            merged = {**arrays, **(changed_arrays or {})}
            write_safetensors(self.folder / "x.safetensors", {k: v for k, v in merged.items() if v is not None},
                              {**metadata, **(changed_metadata or {})})
            result = self.cli("analyse", "x.safetensors", "--analysis", "attention_from", "--param", "layers=0")
            self.assertIn(result.code, (2, 3), result.err)
            self.assertIn("error: ", result.err)

        broken({"vision.0.self/probs": probs[0]})
        broken({"vision.0.self/probs": probs[:, :, :5]})
        broken({"vision.0.self/probs": np.concatenate([probs, probs], 2)})
        broken({"vision.0.self/probs": probs[:1]})
        broken({"vision.0.self/k": arrays["vision.0.self/k"][:, :, :3]})
        broken({"vision.0.self/probs": None, "vision.0.self/q": None})
        broken({"vision.0.self/index": np.full(probs.shape[1:], 10**6, np.int32)})
        broken({"vision.x.self/probs": probs})
        broken({"vision.0.odd/probs": probs})
        broken(None, {"fovea.token_map": "{}"})
        broken(None, {"fovea.token_map": "["})
        broken(None, {"fovea.token_map": json.dumps({"stages": {"text": []}, "images": []})})
        broken(None, {"fovea.spec": "[]"})

    def test_recorded_by_transformers(self):
        if not all(importlib.util.find_spec(name) for name in ("torch", "transformers", "safetensors", "PIL")):
            self.skipTest("needs torch, transformers, safetensors and pillow")
        self.ok("scene", "--seed", "7", "-o", "a.png")
        model = SOURCE / "resources/demo_models/vit-scenes"
        script = SOURCE / "resources/python/record_trace.py"
        done = subprocess.run([sys.executable, script, model, "--image", "a.png", "-o", "r.safetensors"], cwd=self.folder,
                              capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.ok("trace", "demo:vit", "--image", "a.png", "--keep", "probs,qkv,hidden,output,input", "-o", "t.safetensors")
        ours, _ = read_safetensors(self.folder / "t.safetensors")
        theirs, _ = read_safetensors(self.folder / "r.safetensors")
        self.assertEqual(set(ours), set(theirs))
        for name, value in ours.items():
            self.assertEqual(value.shape, theirs[name].shape, name)
            np.testing.assert_allclose(theirs[name], value, atol=2e-5 * max(1, np.abs(value).max()), err_msg=name)
        fresh = self.analyse("demo:vit", "rollout", "--image", "a.png")
        np.testing.assert_allclose(self.values(self.analyse("r.safetensors", "rollout")), self.values(fresh), atol=1e-5)


if __name__ == "__main__":
    unittest.main()
