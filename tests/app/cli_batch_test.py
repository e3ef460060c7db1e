"""One session over many pictures: folders, manifests, shards, resuming."""
import csv
import json
import os
import unittest

from cli_support import CliTest, write_ppm


class Batch(CliTest):
    def setUp(self):
        super().setUp()
        (self.folder / "in").mkdir()
        for i in range(4):
            write_ppm(self.folder / f"in/p{i}.ppm", 64 + 8 * i, 64, seed=i)
        self.path = self.session(input={})

    def rows(self, folder="out"):
        with open(self.folder / folder / "metrics.csv", newline="") as file:
            return list(csv.DictReader(file))

    def stamps(self):
        return {p: p.stat().st_mtime_ns for p in (self.folder / "out").rglob("*.svg")}

    def test_folder(self):
        self.ok("run", self.path, "--images", "in", "-o", "out")
        rows = self.rows()
        self.assertEqual([row["name"] for row in rows], ["p0", "p1", "p2", "p3"])
        for row in rows:
            self.assertTrue(row["prediction"])
            self.assertTrue(0 < float(row["probability"]) <= 1)
            self.assertEqual(list(row)[-2:], ["prompt", "answer"])
            self.assertEqual((row["prompt"], row["answer"]), ("", ""))
            self.assertTrue(any(key.startswith("attention_from.") for key in row))
            self.assertTrue((self.folder / "out" / row["name"] / "map.svg").exists())
        self.assertEqual(len(self.stamps()), 4)

    def test_resume_skips_what_is_complete_and_unchanged(self):
        self.ok("run", self.path, "--images", "in", "-o", "out")
        before = self.stamps()
        write_ppm(self.folder / "in/p1.ppm", 80, 64, seed=99)
        os.utime(self.folder / "in/p1.ppm", ns=(1, 1))
        (self.folder / "out/p2/item.json").unlink()
        (self.folder / "out/p3/item.json").write_text("{ damaged")
        report = self.ok("run", self.path, "--images", "in", "-o", "out", "--resume", "--json").json()
        self.assertEqual((report["done"], report["skipped"]), (3, 1))
        after = self.stamps()
        changed = {p.parent.name for p in before if before[p] != after[p]}
        self.assertEqual(changed, {"p1", "p2", "p3"})
        # A picture that went away is made again.
        (self.folder / "out/p0/map.svg").unlink()
        report = self.ok("run", self.path, "--images", "in", "-o", "out", "--resume", "--json").json()
        self.assertEqual((report["done"], report["skipped"]), (1, 3))
        self.assertTrue((self.folder / "out/p0/map.svg").exists())
        # So are one that was cut off, and one of the same size with other bytes.
        whole = (self.folder / "out/p0/map.svg").read_bytes()
        (self.folder / "out/p0/map.svg").write_bytes(whole[:len(whole) // 2])
        other = (self.folder / "out/p2/map.svg").read_bytes()
        (self.folder / "out/p2/map.svg").write_bytes(other[:-2] + b"??")
        report = self.ok("run", self.path, "--images", "in", "-o", "out", "--resume", "--json").json()
        self.assertEqual((report["done"], report["skipped"]), (2, 2))
        self.assertEqual((self.folder / "out/p0/map.svg").read_bytes(), whole)
        self.assertEqual((self.folder / "out/p2/map.svg").read_bytes(), other)
        # A record that knows no more than names cannot vouch for its files.
        record = json.loads((self.folder / "out/p3/item.json").read_text())
        record["files"] = [file["name"] for file in record["files"]]
        (self.folder / "out/p3/item.json").write_text(json.dumps(record))
        report = self.ok("run", self.path, "--images", "in", "-o", "out", "--resume", "--json").json()
        self.assertEqual((report["done"], report["skipped"]), (1, 3))
        # Another session makes everything stale.
        other = self.session("other.fovea.json", input={}, seed=5)
        report = self.ok("run", other, "--images", "in", "-o", "out", "--resume", "--json").json()
        self.assertEqual(report["done"], 4)

    def test_every_analysis_has_columns(self):
        ids = ("sinks", "dependency_tree", "scanpath", "head_statistics", "attention_from")
        path = self.session("all.fovea.json", input={}, analyses=[{"id": one} for one in ids], pictures=[])
        self.ok("run", path, "--images", "in", "-o", "out")
        row = self.rows()[0]
        for i, one in enumerate(ids):
            own = [key for key in row if key.startswith(f"{i + 1} {one}." if i else one + ".")]
            self.assertTrue(own and all(row[key] != "" for key in own), (one, own))
        with open(self.folder / "out/p0/01-sinks.json") as file:
            table = next(f["data"] for f in json.load(file)["items"][0]["findings"] if f["name"] == "table")
        at = [column["name"] for column in table["columns"]].index("sink")
        self.assertEqual(float(row["sinks.table sink yes"]), sum(cells[at] == "yes" for cells in table["rows"]))
        with open(self.folder / "out/p0/02-dependency_tree.json") as file:
            tree = next(f["data"] for f in json.load(file)["items"][0]["findings"] if f["name"] == "tree")
        self.assertEqual(float(row["2 dependency_tree.tree roots"]), sum(parent < 0 for parent in tree["parent"]))
        self.assertEqual(float(row["2 dependency_tree.tree depth max"]), max(tree["depth"]))
        self.assertGreater(float(row["3 scanpath.path fixations"]), 0)
        self.assertGreater(float(row["4 head_statistics.entropy mean of heads mean"]), 0)

    def test_shards_make_the_whole(self):
        self.ok("run", self.path, "--images", "in", "-o", "whole")
        for shard in ("1/3", "2/3", "3/3"):
            self.ok("run", self.path, "--images", "in", "-o", "out", "--shard", shard)
        self.assertEqual(self.rows("whole"), self.rows())
        for path in (self.folder / "whole").rglob("*.svg"):
            self.assertEqual(path.read_bytes(), (self.folder / "out" / path.relative_to(self.folder / "whole")).read_bytes())

    def test_manifest(self):
        (self.folder / "m.csv").write_text('image,name\nin/p0.ppm,"first, one"\nscene:3,\n')
        self.ok("run", self.path, "--manifest", "m.csv", "-o", "out")
        self.assertEqual([row["name"] for row in self.rows()], ["first__one", "scene-3"])

    def test_one_bad_picture_does_not_cost_the_others(self):
        (self.folder / "in/broken.ppm").write_bytes(b"P6\n99999 99999\n255\n")
        result = self.fails(3, "run", self.path, "--images", "in", "-o", "out")
        self.assertIn("broken", result.err)
        self.assertEqual(len(self.rows()), 4)

    def test_results_of_another_session_do_not_mix(self):
        self.ok("run", self.path, "--images", "in", "-o", "out")
        other = self.session("other.fovea.json", input={}, analyses=[{"id": "rollout"}],
                             pictures=[{"analysis": 0, "file": "other.svg"}])
        result = self.ok("run", other, "--images", "in", "-o", "out", "--shard", "1/2")
        self.assertIn("2 of 4 items in out hold results of another session", result.err)
        self.assertEqual([row["name"] for row in self.rows()], ["p0", "p2"])
        self.assertFalse(any(key.startswith("attention_from.") for key in self.rows()[0]))
        # What the first session left in the folders of these items went with its record.
        self.assertEqual({p.name for p in (self.folder / "out/p0").iterdir()}, {"01-rollout.json", "item.json", "other.svg"})
        self.assertTrue((self.folder / "out/p1/map.svg").exists())
        self.assertEqual(self.ok("run", other, "--images", "in", "-o", "out", "--resume").err.count("another session"), 0)
        self.assertEqual(len(self.rows()), 4)


if __name__ == "__main__":
    unittest.main()
