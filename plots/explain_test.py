"""explain_test.py - the chart of written bytes shows the numbers of the runs, in their order, and says what it leaves out."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import against  # noqa: E402
import explain  # noqa: E402
import load     # noqa: E402
import style    # noqa: E402


def write(directory, runs):
    """runs: [(user, {tag: bytes}, media, moved)], all of one experiment."""
    directory.mkdir()
    for index, (user, tags, media, moved) in enumerate(runs):
        phase = {"row": "phase", "phase": "run", "user_write_bytes": user, "host_write_bytes": sum(tags.values()),
                 "media_write_bytes": media, "media_moved_bytes": moved}
        phase.update({f"host_write_bytes_{tag}": tags.get(tag, 0) for tag in explain.TAGS})
        rows = [{"row": "run", "schema": 1, "experiment": "made", "group": "g", "index": index, "seed": 1, "run_id": str(index),
                 "label": f"run {index}", "choices": {"device": "sim_ssd"}, "sweep": {"pool_bytes": str(1024 << index % 40)},
                 "spec": {}}, {"row": "host", "revision": "abc"}, phase, {"row": "end", "status": "ok"}]
        (directory / f"{index:04d}-{index}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return directory


class Chart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.root = pathlib.Path(cls.scratch.name)
        cls.pyplot = style.matplotlib_defaults()
        cls.three = write(cls.root / "three", [(100, {"leaf": 500, "log": 100}, 900, 200), (100, {"leaf": 300, "clean": 50}, 0, 0),
                                               (0, {"meta": 10}, 10, 0)])
        cls.many = write(cls.root / "many", [(100, {"leaf": 100 + at}, 0, 0) for at in range(150)])

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def test_bars_are_the_numbers_and_the_least_comes_first(self):
        found, left_out = explain.bars(load.load(self.three))
        self.assertEqual(left_out, 1)
        self.assertEqual([round(sum(parts.values()), 6) for _, parts in found], [3.5, 9.0])
        self.assertEqual(found[0][1]["cleaning"], 0.5)
        self.assertEqual({name: value for name, value in found[1][1].items() if value},
                         {"leaf": 5.0, "log": 1.0, "moved": 2.0, "padding": 1.0})

    def test_every_source_has_a_look_of_its_own(self):
        looks = [style.LOOKS["source", name] for name in explain.SOURCES]
        self.assertEqual(len({(colour, hatch) for colour, _, hatch in looks}), len(explain.SOURCES))
        tags = [tag.replace("clean", "cleaning") for tag in explain.TAGS]
        self.assertEqual(list(explain.SOURCES[:len(tags)]), tags)

    def test_sources_are_those_of_the_program(self):
        header = (HERE.parent / "engine" / "iface" / "device.h").read_text(encoding="utf-8")
        table = header.split("DEV_TAGS_TABLE(X)", 1)[1].split("enum dev_tag", 1)[0]
        self.assertEqual(sorted(part.split('"')[1] for part in table.split("X(")[1:]), sorted(explain.TAGS))

    def test_chart_says_what_it_shows_and_what_not(self):
        figure = against.finish(explain.draw(load.load(self.many), self.pyplot), load.load(self.many))
        said = " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
        self.assertIn(f"{explain.MOST} of 150 runs", said)
        self.assertIn("150 runs, seed 1; revision abc", said)
        widths = [bar.get_width() for bar in figure.axes[0].patches]
        self.assertEqual((len(widths), round(widths[0], 6), round(widths[-1], 6)), (explain.MOST, 1.0, 2.49))
        figure.canvas.draw()
        box, (width, height) = figure.get_tightbbox(figure.canvas.get_renderer()), figure.get_size_inches()
        self.assertTrue(0 <= box.x0 and 0 <= box.y0 and box.x1 <= width and box.y1 <= height, box)
        self.pyplot.close(figure)

    def test_sums_that_are_wrong_are_refused(self):
        bad = write(self.root / "bad", [(100, {"leaf": 500}, 0, 0)])
        path = next(bad.glob("*.jsonl"))
        path.write_text(path.read_text(encoding="utf-8").replace('"host_write_bytes_leaf": 500', '"host_write_bytes_leaf": 501'),
                        encoding="utf-8")
        with self.assertRaises(load.LoadError):
            explain.bars(load.load(bad))

    def test_program_draws_files_and_nothing_where_nobody_wrote(self):
        script, files = str(HERE / "explain.py"), sorted(map(str, self.three.glob("*.jsonl")))
        subprocess.run([sys.executable, script, *files[:2], "--out", str(self.root), "--stem", "{name}.explain"], check=True)
        self.assertGreater((self.root / "made.explain.svg").stat().st_size, 1000)
        subprocess.run([sys.executable, script, files[2], "--out", str(self.root), "--if-any", "--stem", "none"], check=True)
        self.assertFalse((self.root / "none.svg").exists())
        done = subprocess.run([sys.executable, script, files[2], "--out", str(self.root)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main()
