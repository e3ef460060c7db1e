"""Exit codes, the form of errors, and what an interrupted run leaves behind."""
import os
import re
import shutil
import signal
import struct
import subprocess
import time
import unittest

from cli_support import CLI, SOURCE, CliTest, np, read_safetensors, write_ppm, write_safetensors


class Usage(CliTest):
    def test_wrong_command_lines(self):
        for arguments in ([], ["nonsense"], ["info"], ["info", "demo:vit", "--no-such-flag"],
                          ["info", "demo:vit", "--dtype", "int8"], ["info", "demo:vit", "--threads", "many"],
                          ["list", "everything"], ["render", "demo:vit", "--image", "scene:1"],
                          ["trace", "demo:vit", "--image", "scene:1", "--keep", "nothing", "-o", "x.safetensors"],
                          ["trace", "demo:vit", "--image", "scene:1", "--keep", "qkv", "-o", "x.bin"],
                          ["trace", "demo:vit", "--image", "scene:1", "--keep", "qkv", "--sites", "text.*", "-o", "x.safetensors"],
                          ["analyse", "demo:vit", "--image", "scene:1", "--analysis", "no_such"],
                          ["analyse", "demo:vit", "--image", "scene:1", "--analysis", "rollout", "--param", "no_such=1"],
                          ["analyse", "demo:vit", "--image", "scene:1", "--analysis", "rollout", "--param", "novalue"],
                          ["analyse", "demo:vit", "--image", "scene:1", "--analysis", "attention_from", "--param", "layers=99"],
                          ["analyse", "demo:vit", "--analysis", "rollout"],
                          ["analyse", "demo:vit", "--image", "scene:x", "--analysis", "rollout"],
                          ["render", "demo:vit", "--image", "scene:1", "--analysis", "rollout", "-o", "x.bmp"],
                          ["render", "demo:vit", "--image", "scene:1", "--analysis", "rollout", "--scale", "fixed", "-o", "x.svg"],
                          ["render", "demo:vit", "--image", "scene:1", "--analysis", "rollout", "--scale", "fixed:1:0", "-o", "x.svg"],
                          ["render", "demo:vit", "--image", "scene:1", "--analysis", "rollout", "--colormap", "no_such", "-o", "x.svg"],
                          ["render", "demo:vit", "--image", "scene:1", "--analysis", "rollout", "--dpi", "5", "-o", "x.svg"],
                          ["tokens", "demo:vit", "--image", "scene:1", "--budget", "much"],
                          ["run", "s.fovea.json", "--shard", "3/2"], ["run", "s.fovea.json", "--resume"]):
            with self.subTest(arguments):
                self.session()
                self.fails(2, *arguments)
                self.fails(2, *arguments, "--json")
        self.assertEqual([p.name for p in self.folder.iterdir() if p.name != "s.fovea.json"], [])

    def test_edits(self):
        base = ["analyse", "demo:vit", "--image", "scene:1", "--analysis", "rollout", "--edit"]
        for edit in ("no_such", "{}", "temperature{", "temperature{]", "temperature[1]", 'temperature{"no_such":1}',
                     'mute_heads{"heads":"99"}', 'mute_heads{"gain":"x"}'):
            with self.subTest(edit):
                self.fails(2, *base, edit)

    def test_mistyped_words_find_what_was_meant(self):
        base = ["render", "demo:vit", "--image", "scene:1", "--analysis"]
        for arguments, meant in (
                (["analyze", "demo:vit"], "did you mean analyse?"),
                ([*base, "rolout", "-o", "x.svg"], 'did you mean "rollout"?'),
                (["render", "demo:vit", "--imgae", "scene:1", "--analysis", "rollout", "-o", "x.svg"], "did you mean --image?"),
                ([*base, "rollout", "--painter", "heatoverlay", "-o", "x.svg"], 'did you mean "heat_overlay"?'),
                ([*base, "rollout", "--colormap", "virdis", "-o", "x.svg"], 'did you mean "viridis"?'),
                ([*base, "rollout", "--edit", "mute_head", "-o", "x.svg"], 'did you mean "mute_heads"?'),
                ([*base, "rollout", "--param", "discrad=0.5", "-o", "x.svg"], 'did you mean "discard"?'),
                ([*base, "rollout", "--filter", "bilinaer", "-o", "x.svg"], 'did you mean "bilinear"?'),
                (["list", "colourmaps"], 'did you mean "colormaps"?')):
            with self.subTest(arguments):
                self.assertIn(meant, self.fails(2, *arguments).err)
        self.assertNotIn("did you mean", self.fails(2, "banana").err)

    def test_messages_say_what_was_expected(self):
        base = ["render", "demo:vit", "--image", "scene:1", "--analysis", "attention_from", "-o", "x.svg"]
        for arguments, text in (
                (["tokens", "demo:vit", "--image", "scene:1", "--seed", "abc"],
                 '--seed: expected a whole number from 0 on, found "abc"'),
                ([*base, "--dpi", "many"], '--dpi: expected a number, found "many"'),
                ([*base, "--dpi", "9"], '--dpi: expected a number from 10 to 1200, found "9"'),
                ([*base, "--max-new-tokens", "0"], '--max-new-tokens: expected a whole number from 1 on, found "0"'),
                ([*base, "--max-new-tokens", "1.5"], '--max-new-tokens: expected a whole number, found "1.5"'),
                ([*base, "--top-p=-0.1"], '--top-p: expected a number from 0 to 1, found "-0.1"'),
                ([*base, "--repetition-penalty", "0"], 'expected a number from 0.001 to 1000, found "0"'),
                ([*base, "--threads", "5000"], '--threads: expected a whole number from 0 to 4096, found "5000"'),
                (["compare", "a", "b", "--picture=-1"], '--picture: expected a whole number from 0 on, found "-1"'),
                (["render", "demo:vit", "--analysis", "rollout", "-o", "x.svg"],
                 "expected a picture, a text or tensors for ViTForImageClassification, found none"),
                ([*base, "--param", "layers=99"], "valid are 0 to"),
                ([*base, "--param", "queries=patchs"], 'did you mean "patches"?'),
                (["list"], "analyses, interventions, operators, painters, colormaps, demos, lessons"),
                ([*base[:-1], "x.tga"], ".png, .svg, .pdf")):
            with self.subTest(arguments):
                self.assertIn(text, self.fails(2, *arguments).err)
        self.assertIn(".png, .svg or .pdf", self.fails(3, *base[:-1], "x.gif").err)
        write_ppm(self.folder / "photo.ppm", 40, 40)
        self.assertIn("did you mean photo.ppm?", self.fails(3, "tokens", "demo:vit", "--image", "foto.ppm").err)
        self.assertIn("scene:SEED", self.fails(3, "tokens", "demo:vit", "--image", "holiday.jpg").err)
        self.assertIn("no folder none", self.fails(3, "tokens", "demo:vit", "--image", "none/a.png").err)

    def test_run_says_what_a_session_is(self):
        self.ok("render", "demo:vit", "--image", "scene:1", "--analysis", "rollout", "-o", "own.svg")
        (self.folder / "other.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
        (self.folder / "notes.txt").write_text("hello")
        self.assertIn("expected a session file", self.fails(3, "run", "notes.txt").err)
        self.assertIn("picture without one", self.fails(3, "run", "other.svg").err)
        # A picture that Fovea wrote holds its session.
        self.ok("run", "own.svg", "-o", "again")
        self.assertTrue((self.folder / "again/01-rollout.png").exists())

    def test_lessons_have_names(self):
        listed = {lesson["id"]: lesson for lesson in self.ok("list", "lessons", "--json").json()["lessons"]}
        self.assertIn(listed["sinks"]["path"], self.ok("list", "lessons").out)
        for name in ("demo", "lesson:demo"):
            self.ok("run", name, "-o", "out")
            self.assertTrue((self.folder / "out/rollout.png").exists())
            shutil.rmtree(self.folder / "out")
        for name in ("sink", "lesson:sink"):
            err = self.fails(3, "run", name).err
            self.assertIn(f"{name}: expected a session file", err)
            self.assertIn("did you mean sinks?", err)
            self.assertIn("lessons ask, demo, ", err)
        self.assertIn("cannot open", self.fails(3, "run", "sinks.fovea.json").err)
        self.assertEqual(self.ok("compare", "demo", listed["demo"]["path"], "--json").json()["differs"], [])
        # A file of that name comes first.
        self.session("demo", pictures=[{"analysis": 0, "file": "own.svg"}])
        self.ok("run", "demo", "-o", "own")
        self.assertTrue((self.folder / "own/own.svg").exists())

    def test_flags_that_no_family_uses_are_not_in_the_help(self):
        text = self.ok("render", "--help").out
        for flag in ("--steps", "--guidance"):
            self.assertNotIn(flag, text)
            self.fails(3, "tokens", "demo:vit", "--image", "scene:1", flag, "3")
        self.assertIn("--analysis", self.ok("help", "render").out)
        self.assertIn("render", self.ok("help").out)

    def test_help_and_version(self):
        self.assertIn("fovea-cli 0.", self.ok("--version").out)
        top = self.ok("--help").out
        for command in ("families", "info", "tokens", "trace", "generate", "verify", "analyse", "render", "run", "compare",
                        "list", "demo", "scene"):
            self.assertIn(command, top)
            text = self.ok(command, "--help").out
            for flag in ("--device", "--dtype", "--budget", "--edit", "--adapter", "--threads", "--quiet", "--json", "--help", "--version"):
                self.assertIn(flag, text, command)


class Input(CliTest):
    def test_unreadable_input(self):
        (self.folder / "empty").mkdir()
        (self.folder / "not_a_picture.png").write_bytes(b"hello")
        (self.folder / "frames").mkdir()
        (self.folder / "frames" / "0.ppm").write_bytes(b"P6 8 8 255\n" + bytes(192))
        (self.folder / "broken.fovea.json").write_text('{"schema": 1, "model": 3}')
        (self.folder / "newer.fovea.json").write_text('{"schema": 99}')
        for arguments in (["info", "no/such-model"], ["info", "no_such_folder"], ["info", "empty"], ["info", "demo:none"],
                          ["tokens", "demo:vit", "--image", "missing.png"],
                          ["tokens", "demo:vit", "--image", "not_a_picture.png"],
                          ["tokens", "demo:vit", "--image", "scene:1", "--prompt", "hello"],
                          ["tokens", "demo:vit", "--video", "film.webm"],
                          ["tokens", "demo:vit", "--video", "frames"], ["tokens", "demo:vlm", "--video", "frames"],
                          ["tokens", "demo:vlm", "--video", "not_a_picture.png"],
                          ["tokens", "demo:vit", "--tensors", "missing.safetensors"],
                          ["generate", "demo:vit", "--image", "scene:1"],
                          ["render", "demo:vit", "--image", "scene:1", "--analysis", "rollout", "-o", "film.webm"],
                          ["run", "missing.fovea.json"], ["run", "broken.fovea.json"], ["run", "newer.fovea.json"],
                          ["compare", "broken.fovea.json", "newer.fovea.json"]):
            with self.subTest(arguments):
                result = self.fails(3, *arguments, "--json")
                self.assertTrue(result.json()["error"]["what"])

    def test_hints(self):
        self.assertIn("newer", self.fails_with('{"schema": 99}').lower())
        film = self.fails(3, "render", "demo:vit", "--image", "scene:1", "--analysis", "rollout", "-o", "a.webm")
        self.assertIn("PNG sequence", film.err)
        self.assertIn("hint: ", self.fails(3, "generate", "demo:vit").err)

    def fails_with(self, text):
        (self.folder / "x.fovea.json").write_text(text)
        return self.fails(3, "run", "x.fovea.json").err

    def test_outputs_are_looked_at_before_computing(self):
        (self.folder / "folder.png").mkdir()
        base = ("demo:vit", "--image", "scene:1", "--analysis", "rollout", "-o")
        for command, output in (("render", "none/a.png"), ("render", "folder.png"), ("analyse", "none/a.json")):
            # The budget would refuse the run: the place comes first.
            result = self.fails(3, command, *base, output, "--budget", "1KiB", "--json")
            self.assertIn(output, result.json()["error"]["what"])
        two = self.session(pictures=[{"analysis": 0, "file": "a.svg"}, {"analysis": 0, "file": "./a.svg"}])
        self.assertIn("/pictures/1/file", self.fails(3, "run", two, "-o", "out").err)
        self.assertFalse((self.folder / "out").exists())

    def test_file_names_in_any_bytes(self):
        name = os.fsencode(str(self.folder)) + b"/caf\xe9.ppm"
        write_ppm(os.fsdecode(name), 40, 40)
        self.ok("trace", "demo:vit", "--image", os.fsdecode(name), "--keep", "output", "-o", "x.safetensors")
        self.ok("render", "demo:vit", "--image", os.fsdecode(name), "--analysis", "rollout", "-o", "x.svg")

    def test_session_names_stay_in_the_folder(self):
        for name in ("../up.svg", "/tmp/abs.svg", "a/../../b.svg"):
            with self.subTest(name):
                path = self.session(pictures=[{"analysis": 0, "file": name}])
                self.fails(3, "run", path, "-o", "out")
                self.assertFalse((self.folder / "up.svg").exists())


    def test_damaged_weights(self):
        arrays, metadata = read_safetensors(SOURCE / "resources/demo_models/vit-scenes/model.safetensors")
        shutil.copytree(SOURCE / "resources/demo_models/vit-scenes", self.folder / "m", ignore=shutil.ignore_patterns("*.py", "*.cpp"))
        arrays = {name: value.astype("float32") for name, value in arrays.items()}
        missing, misshaped = sorted(name for name in arrays if name.endswith("query.weight"))[:2]
        arrays.pop(missing)
        arrays[misshaped] = arrays[misshaped][:3]
        arrays["extra.weight"] = arrays[misshaped]
        write_safetensors(self.folder / "m/model.safetensors", arrays, metadata)
        report = self.ok("info", "m", "--json").json()["weights"]
        self.assertEqual(report["missing"], [missing])
        self.assertEqual(report["unexpected"], ["extra.weight"])
        self.assertEqual(report["misshaped"][0]["name"], misshaped)
        self.assertEqual(report["misshaped"][0]["found"][0], 3)
        self.assertIn(missing, self.fails(3, "trace", "m", "--image", "scene:1", "--keep", "output", "-o", "x.safetensors").err)
        (self.folder / "m/model.safetensors").write_bytes(b"nonsense")
        self.fails(3, "info", "m", "--json")

    def test_unexpected_weights_are_mentioned(self):
        arrays, metadata = read_safetensors(SOURCE / "resources/demo_models/vit-scenes/model.safetensors")
        shutil.copytree(SOURCE / "resources/demo_models/vit-scenes", self.folder / "m", ignore=shutil.ignore_patterns("*.py", "*.cpp"))
        arrays = {name: value.astype("float32") for name, value in arrays.items()}
        arrays["extra.weight"] = np.zeros((2,), "float32")
        arrays["embeddings.position_ids"] = np.zeros((2,), "int64")
        write_safetensors(self.folder / "m/model.safetensors", arrays, metadata)
        said = "warning: 1 tensor of the weight files is not used: extra.weight"
        for arguments in (["trace", "m", "--image", "scene:1", "--keep", "output", "-o", "x.safetensors"],
                          ["analyse", "m", "--image", "scene:1", "--analysis", "rollout"],
                          ["render", "m", "--image", "scene:1", "--analysis", "rollout", "-o", "x.svg"]):
            with self.subTest(arguments):
                self.assertIn(said, self.ok(*arguments).err.splitlines())

    def test_values_that_are_not_finite_are_warned_of(self):
        arrays, metadata = read_safetensors(SOURCE / "resources/demo_models/vit-scenes/model.safetensors")
        shutil.copytree(SOURCE / "resources/demo_models/vit-scenes", self.folder / "m", ignore=shutil.ignore_patterns("*.py", "*.cpp"))
        arrays = {name: value.astype("float32") for name, value in arrays.items()}
        name = sorted(name for name in arrays if name.endswith("query.weight"))[1]
        for value in (np.nan, np.inf):
            arrays[name][0, 0] = value
            write_safetensors(self.folder / "m/model.safetensors", arrays, metadata)
            for arguments in (["trace", "m", "--image", "scene:1", "--keep", "output", "-o", "x.safetensors"],
                              ["render", "m", "--image", "scene:1", "--analysis", "attention_from", "-o", "x.svg"]):
                with self.subTest(value=value, arguments=arguments):
                    self.assertIn("not finite (NaN or infinity), first at ", self.ok(*arguments).err)

    def test_weights_of_integers(self):
        arrays, metadata = read_safetensors(SOURCE / "resources/demo_models/vit-scenes/model.safetensors")
        shutil.copytree(SOURCE / "resources/demo_models/vit-scenes", self.folder / "m", ignore=shutil.ignore_patterns("*.py", "*.cpp"))
        arrays = {name: value.astype("float32") for name, value in arrays.items()}
        name = sorted(name for name in arrays if name.endswith("query.weight"))[0]
        arrays[name] = arrays[name].astype("int32")
        write_safetensors(self.folder / "m/model.safetensors", arrays, metadata)
        error = self.fails(3, "trace", "m", "--image", "scene:1", "--keep", "output", "-o", "x.safetensors", "--json").json()["error"]
        self.assertIn(f"{name} in model.safetensors: expected F32, F16, BF16 or F64, found I32", error["what"])
        self.assertTrue(error["hint"])


class Hints(CliTest):
    def hinted(self, code, *arguments):
        error = self.fails(code, *arguments, "--json").json()["error"]
        self.assertGreater(len(error["hint"]), 10, error)
        return error

    def test_json(self):
        for text in ("", "{", '{"schema": 1,}', '{"a": 1, "a": 2}', "[" * 5000, '{"schema": NaN}', "[1] 2", "\0", '"\\ud800"'):
            with self.subTest(text[:20]):
                (self.folder / "s.fovea.json").write_text(text)
                self.hinted(3, "run", "s.fovea.json", "-o", "out")

    def test_tensors(self):
        trace = ["trace", "demo:vit", "--keep", "output", "-o", "x.safetensors", "--tensors", "in.safetensors"]
        for array in (np.zeros((1, 3, 2, 2), "float32"), np.zeros((1, 7, 64, 64), "float32"), np.zeros((64, 64), "float32"),
                      np.zeros((1, 3, 0, 64), "float32"), np.zeros((1, 3, 64, 64), "int32"), np.zeros((1, 3, 64, 64), "int64")):
            with self.subTest(array.shape):
                write_safetensors(self.folder / "in.safetensors", {"pixel_values": array})
                self.hinted(3, *trace)
        write_safetensors(self.folder / "in.safetensors", {})
        self.hinted(3, *trace)

    def test_pictures(self):
        os.mkfifo(self.folder / "fifo.png")
        (self.folder / "folder.png").mkdir()
        (self.folder / "empty.png").write_bytes(b"")
        (self.folder / "width.ppm").write_bytes(b"P6\nx 4\n255\n")
        (self.folder / "deep.ppm").write_bytes(b"P6\n1 1\n65535\n" + bytes(6))
        (self.folder / "none.ppm").write_bytes(b"P6\n0 4\n255\n")
        (self.folder / "negative.bmp").write_bytes(b"BM" + struct.pack("<IIIIiiHHIIiiII", 58, 0, 54, 40, -1, 1, 1, 24, 0, 4, 0, 0, 0, 0) + bytes(4))
        for name in ("fifo.png", "folder.png", "empty.png", "width.ppm", "deep.ppm", "none.ppm", "negative.bmp", "/dev/null"):
            with self.subTest(name):
                self.hinted(3, "trace", "demo:vit", "--image", name, "--keep", "output", "-o", "x.safetensors")

    def test_links(self):
        os.symlink("loop.png", self.folder / "loop.png")
        os.symlink("b.png", self.folder / "a.png")
        os.symlink("a.png", self.folder / "b.png")
        os.symlink("gone.png", self.folder / "dangling.png")
        os.symlink("loop", self.folder / "loop")
        for name, found in (("loop.png", "circle"), ("a.png", "circle"), ("dangling.png", "nowhere"), ("loop/x.png", "circle")):
            with self.subTest(name):
                error = self.hinted(3, "trace", "demo:vit", "--image", name, "--keep", "output", "-o", "x.safetensors")
                self.assertIn(found, error["what"])
                self.assertNotIn("did you mean", error["hint"])

    def test_flags(self):
        self.hinted(2, "info", "demo:vit", "--device", "frob")
        self.hinted(3, "run", self.session(), "--images", "/nosuch", "-o", "out")


class Memory(CliTest):
    def test_budget_is_kept(self):
        for arguments in (["trace", "demo:vit", "--image", "scene:1", "--keep", "probs", "-o", "x.safetensors"],
                          ["analyse", "demo:vit", "--image", "scene:1", "--analysis", "rollout"],
                          ["render", "demo:vit", "--image", "scene:1", "--analysis", "rollout", "-o", "x.svg"]):
            with self.subTest(arguments):
                result = self.fails(4, *arguments, "--budget", "100KiB", "--json")
                self.assertIn("budget", result.json()["error"]["hint"])
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_the_budget_of_a_hint_suffices(self):
        for analysis in ("rollout", "integrated_gradients", "smooth_grad"):
            with self.subTest(analysis):
                arguments = ["analyse", "demo:vit", "--image", "scene:1", "--analysis", analysis, "--json"]
                hint = self.fails(4, *arguments, "--budget", "1KiB").json()["error"]["hint"]
                budget = re.search(r"--budget to (\d[\d.]* [KMG]?i?B)", hint).group(1)
                self.ok(*arguments, "--budget", budget)
                # It is the least that works.
                number, unit = budget.split()
                less = f"{float(number) * 0.9:.3f} {unit}" if float(number) < 100 else f"{float(number) * 0.99:.3f} {unit}"
                self.fails(4, *arguments, "--budget", less)
        hint = self.fails(4, "analyse", "demo:vit", "--image", "scene:1", "--analysis", "rollout", "--budget", "1KiB").err
        self.assertIn("goes to a temporary file", hint)
        self.assertIn("beside the weights", self.ok("analyse", "--help").out)

    def test_missing_device(self):
        if os.path.exists("/dev/nvidia0"):
            self.skipTest("this machine has a CUDA device")
        for device in ("cuda", "cuda:3"):
            result = self.fails(4, "tokens", "demo:vit", "--image", "scene:1", "--device", device, "--json")
            self.assertTrue(result.json()["error"]["hint"])


class Interrupt(CliTest):
    def interrupt(self, arguments, after):
        process = subprocess.Popen([CLI, *arguments], cwd=self.folder, env=self.environment(), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
        return process.returncode, err.decode()

    def test_no_half_file(self):
        write_ppm(self.folder / "a.ppm", 640, 480)
        arguments = ["analyse", "demo:vit", "--image", "a.ppm", "--analysis", "smooth_grad", "--param", "samples=999",
                     "-o", "x.json"]
        stopped = 0
        for after in (0.3, 0.8, 2.0):
            code, err = self.interrupt(arguments, after)
            self.assertIn(code, (0, 130, -signal.SIGINT), err)  # the last: before main() on a busy machine
            stopped += code == 130
            if code != 0:
                self.assertFalse((self.folder / "x.json").exists())
            if code == 130:
                self.assertIn("error: interrupted", err)
            self.assertEqual(self.leftovers(), [])
        self.assertGreater(stopped, 0)

    def test_batch_goes_on_where_it_stopped(self):
        (self.folder / "many.csv").write_text("image\n" + "".join(f"scene:{i}\n" for i in range(200)))
        session = self.session()
        code, err = self.interrupt(["run", str(session), "--manifest", "many.csv", "-o", "out"], 6)
        self.assertEqual(code, 130, err)
        self.assertEqual(self.leftovers(), [])
        for folder in (self.folder / "out").iterdir():
            if (folder / "item.json").exists():
                self.assertTrue((folder / "map.svg").exists())


if __name__ == "__main__":
    unittest.main()
