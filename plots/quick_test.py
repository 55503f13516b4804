"""quick_test.py - what the plain figures show by what, and that a reader can tell it apart."""

import json
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import canvas    # noqa: E402
import load      # noqa: E402
import measures  # noqa: E402
import quick     # noqa: E402
import sample    # noqa: E402
import style     # noqa: E402


class Drawn(unittest.TestCase):
    """Draws an experiment once for all tests of a class."""
    write = None

    @classmethod
    def setUpClass(cls):
        if cls.write is None:
            raise unittest.SkipTest("only a base")
        cls.scratch = tempfile.TemporaryDirectory()
        cls.runs = pathlib.Path(cls.scratch.name) / "runs"
        cls.out = cls.runs / "figures"
        cls.write(cls.runs)
        cls.out.mkdir()
        cls.experiment = load.load(cls.runs)
        cls.table, cls.roles = quick.assign(cls.experiment)
        cls.count = quick.draw(cls.experiment, cls.out)

    @classmethod
    def tearDownClass(cls):
        if cls.write is not None:
            cls.scratch.cleanup()

    def script(self, name):
        return (self.out / f"{self.experiment.name}.{name}.gp").read_text(encoding="utf-8")

    def svg(self, name):
        return (self.out / f"{self.experiment.name}.{name}.svg").read_text(encoding="utf-8")

    def role(self, at):
        return None if at is None else self.roles.key(at)

    def nothing_sticks_out(self):
        for path in self.out.glob("*.svg"):
            svg = path.read_text(encoding="utf-8")
            width, height = map(float, re.search(r'viewBox="0 0 (\d+) (\d+)"', svg).groups())
            texts = re.findall(r'translate\(([-\d.]+),([-\d.]+)\)"[^>]*text-anchor="(\w+)">\s*<text>(.*?)</text>', svg,
                               re.S)
            self.assertGreater(len(texts), 6)
            for x, y, anchor, inner in texts:
                words = re.sub(r"<.*?>", "", inner)
                long = canvas.width_of(words)
                begin = float(x) - {"start": 0, "middle": long / 2, "end": long}[anchor]
                self.assertGreaterEqual(begin, 0, f"{path.name}: {words}")
                self.assertLessEqual(begin + long, width, f"{path.name}: {words}")
                self.assertTrue(0 < float(y) < height, f"{path.name}: {words}")


@unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
class Bars(Drawn):
    write = staticmethod(lambda directory: sample.write(directory, seeds=(1, 2)))

    def panels(self, measure, stacked=False):
        panels = quick.collect(self.table, self.roles, measure, stacked)
        for panel in panels:
            quick.place_bars(panel, self.roles, stacked)
        return panels

    def test_roles(self):
        self.assertEqual((self.role(self.roles.colour), self.role(self.roles.pattern), self.roles.x),
                         ("space", "node", None))
        self.assertEqual([self.role(at) for at in self.roles.group], ["placement"])

    def test_every_choice_has_its_colour_and_the_legend_names_it(self):
        script = self.script("throughput")
        for choice in sample.SPACES:
            self.assertRegex(script, f"with boxes .*{style.look('space', choice)[0]}")
            self.assertRegex(script, f"set object .*{style.look('space', choice)[0]}")
            self.assertIn(f"set label '{style.word(choice)}' at screen", script)

    def test_layouts_differ_in_pattern(self):
        patterns = set(re.findall(r"with boxes fs pattern (\d)", self.script("throughput")))
        self.assertEqual(patterns, {"3", "5"})

    def test_titles_are_in_the_words_of_the_field(self):
        self.assertEqual([panel.title for panel in self.panels(measures.kops)],
                         ["simulated SSD, YCSB A", "simulated SSD, YCSB C", "simulated zoned SSD, YCSB A",
                          "simulated zoned SSD, YCSB C"])
        self.assertIn("simulated SSD, YCSB A", self.script("throughput"))

    def test_bars_of_a_group_are_adjacent_and_groups_apart(self):
        panel = self.panels(measures.kops)[0]
        marks = sorted(panel.marks, key=lambda mark: mark.x)
        steps = [(after.x - before.x, [before.variant[at] == after.variant[at] for at in
                                       (self.roles.colour, self.roles.group[0])])
                 for before, after in zip(marks, marks[1:])]
        self.assertEqual({round(step, 6) for step, (colour, group) in steps if group and colour}, {1.0})
        self.assertEqual({round(step, 6) for step, (colour, group) in steps if group and not colour},
                         {1 + quick.COLOUR_GAP})
        self.assertTrue(all(step >= 1 + quick.GROUP_GAP - 1e-9 for step, (_, group) in steps if not group))
        self.assertEqual([text for text, *_ in panel.below], ["in place", "zones"])

    def test_labels_do_not_touch(self):
        for stacked in (False, True):
            for panel in self.panels(measures.write_amplification if stacked else measures.kops, stacked):
                for line in {line for _, _, line, _ in panel.below}:
                    half = {words: canvas.width_of(words) / quick.BAR / 2 for words, *_ in panel.below}
                    spans = sorted((x - half[words], x + half[words]) for words, x, of, _ in panel.below if of == line)
                    self.assertTrue(all(after[0] >= before[1] for before, after in zip(spans, spans[1:])), spans)

    def test_no_label_is_turned(self):
        for name in ("throughput", "writes", "latency", "space"):
            drawn = self.svg(name) + self.script(name)
            self.assertEqual(re.findall(r"rotate\(.*<text>|set \w*tics .*rotate", drawn), [])

    def test_written_bytes_are_stacked(self):
        script = self.script("writes")
        for name in measures.BYTES:
            self.assertRegex(script, f"with boxxyerror .*{style.look('bytes', name)[0]}")
        panel = self.panels(measures.write_amplification, True)[0]
        self.assertEqual(panel.marks[0].parts, (1.0, 9.0, 2.0))
        self.assertEqual([text for text, _, line, _ in panel.below if line == 0], ["raw", "LZ4", "holes"] * 2)

    def test_parts_too_thin_to_see_are_not_in_the_legend(self):
        thick, thin = [((1.0, 9.0, 2.0), 12.0)], [((1.0, 199.0, 0.0), 200.0)]
        self.assertEqual((measures.thin_parts(thick), measures.thin_words(thick)), ([], ""))
        self.assertEqual(measures.thin_parts(thin), ["user", "device"])
        self.assertIn("user's own bytes", measures.thin_words(thin))
        self.assertNotIn("device", measures.thin_words(thin))

    def test_ranges_of_seeds_are_told(self):
        self.assertIn("bars are medians over seeds", self.script("throughput"))
        self.assertRegex(self.script("throughput"), r"seeds 1, 2;.*revision")

    def test_nothing_sticks_out(self):
        self.nothing_sticks_out()


@unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
class Lines(Drawn):
    write = staticmethod(sample.write_sweep)

    def test_roles(self):
        self.assertEqual((self.role(self.roles.x), self.role(self.roles.colour)), ("page_bytes", "placement"))

    def test_lines_not_bars(self):
        for name in ("throughput", "writes", "latency", "space"):
            self.assertIn("with linespoints", self.script(name))
            self.assertNotRegex(self.script(name), "with (boxes|boxxyerror)")

    def test_every_seed_is_a_point_and_the_line_joins_medians(self):
        table = (self.out / "sweep.throughput.dat").read_text(encoding="utf-8")
        blocks = [[line.split() for line in block.splitlines() if not line.startswith("#")]
                  for block in table.split("\n\n\n")[1:]]
        self.assertEqual([len(block) for block in blocks], [4, 12, 4, 12])
        self.assertAlmostEqual(float(blocks[0][0][1]), 51.0, places=2)
        self.assertAlmostEqual(float(blocks[0][3][1]), 51.0 / 8, places=2)
        self.assertEqual([float(row[0]) for row in blocks[0]], [13, 14, 15, 16])
        self.assertIn("with points", self.script("throughput"))

    def test_no_line_is_a_look_of_two(self):
        looks = re.findall(r"with linespoints .*", self.script("throughput"))
        self.assertEqual(len(looks), len(set(looks)))
        self.assertEqual(canvas.strokes(0), [(0, canvas.STROKE)])
        self.assertEqual(canvas.strokes(1)[:2], [(0, 8), (14, 22)])
        self.assertEqual([canvas.dash_type(dash) for dash in (0, 1)], ["dt 1", "dt (8,6)"])

    def test_axis_says_what_it_is(self):
        script = self.script("throughput")
        self.assertIn("'8 KiB' 13, '16 KiB' 14, '32 KiB' 15, '64 KiB' 16", script)
        self.assertIn("set label 'page size'", script)
        self.assertIn("lines join medians over seeds", script)

    def test_placements_differ_in_colour(self):
        self.assertLessEqual({style.look("placement", name)[0] for name in sample.PLACEMENTS},
                             set(re.findall(r"with linespoints .*'(#\w+)'", self.script("throughput"))))

    def test_nothing_sticks_out(self):
        self.nothing_sticks_out()

    def test_two_values_are_no_axis_unless_the_experiment_says_so(self):
        runs = [run for run in self.experiment.runs if run.spec["page_bytes"] in ("8192", "16384")]
        few = load.Experiment("few", self.runs, runs, [], [])
        self.assertIsNone(quick.assign(few)[1].x)
        runs[0].run["hints"] = {"x": "page_bytes"}
        try:
            self.assertIsNotNone(quick.assign(few)[1].x)
        finally:
            del runs[0].run["hints"]


@unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
class Ragged(Drawn):
    """An experiment that is no product: most panels have one bar, one variant has a key that no other has."""

    @staticmethod
    def write(directory):
        sample.write(directory)
        keep = ("sim_ssd c inplace raw slotted", "sim_zns a zone lz4 ordinal")
        for path in directory.glob("*.jsonl"):
            text = path.read_text(encoding="utf-8")
            if "sim_ssd a " not in text and not any(label in text for label in keep):
                path.unlink()
            elif "sim_ssd a zone" in text and "raw slotted" in text:
                path.write_text(text.replace('"seed": "1"', '"seed": "1", "target_ops_per_second": "2000"'), "utf-8")

    def test_groups_name_only_what_differs(self):
        panel = quick.collect(self.table, self.roles, measures.kops, False)[0]
        quick.place_bars(panel, self.roles, False)
        self.assertEqual([text for text, *_ in panel.below],
                         ["in place", "zones", "zones", "2,000 arrivals a second"])

    def test_every_panel_is_drawn(self):
        self.assertEqual(self.script("throughput").count("\n  plot "), 3)

    def test_nothing_sticks_out(self):
        self.nothing_sticks_out()


@unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
class One(Drawn):
    @staticmethod
    def write(directory):
        sample.write(directory)
        for path in sorted(directory.glob("*.jsonl"))[1:]:
            path.unlink()

    def test_a_single_run_has_a_title(self):
        self.assertEqual(self.count, 4)
        self.assertIn("simulated SSD, YCSB A", self.script("throughput"))

    def test_nothing_sticks_out(self):
        self.nothing_sticks_out()


@unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
class DevicesAlone(Drawn):
    @staticmethod
    def write(directory):
        directory.mkdir()
        asked = [{"device.utilisation": utilisation, "sim_ssd.collect": collect, "workload": "-"}
                 for collect in ("fifo", "greedy") for utilisation in ("0.6", "0.7", "0.8")]
        asked += [{"device.op": "mixed:50", "device.size": "16384", "workload": "-"}]
        for index, spec in enumerate(asked):
            timed = "device.op" in spec
            rows = [{"row": "run", "schema": 1, "experiment": "alone", "run_id": f"{index:016x}", "index": index,
                     "seed": 1, "choices": {"device": "sim_ssd"}, "spec": spec, "expect": {}, "simulated": True},
                    {"row": "device", "kind": "timed" if timed else "untimed"},
                    {"row": "derived", "write_amplification": 1 + index, "read_latency_mean_us": 70.0,
                     "write_latency_mean_us": 9.0},
                    {"row": "end", "status": "ok"}]
            (directory / f"{index}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")

    def test_each_kind_has_its_measure(self):
        self.assertEqual(self.count, 2)
        self.assertEqual([measures.device_write_amplification(run) for run in self.experiment.runs],
                         [1, 2, 3, 4, 5, 6, None])
        self.assertEqual([measures.device_latency_us(run) for run in self.experiment.runs], [None] * 6 + [70.0])

    def test_no_workload_is_told(self):
        self.assertNotIn("YCSB", self.svg("amplification"))

    def test_nothing_sticks_out(self):
        self.nothing_sticks_out()


class Words(unittest.TestCase):
    def test_ticks_are_round_and_reach_the_top(self):
        for top in (0.0123, 0.9, 1, 4.2, 9.99, 10, 74.9, 100, 260, 999, 14200, 123456, 9.9e6):
            ticks = quick.nice_ticks(top)
            self.assertTrue(3 <= len(ticks) <= 7, (top, ticks))
            self.assertGreaterEqual(ticks[-1][1], top * 0.99999)
            self.assertLessEqual(ticks[-1][1], top * 2)
        self.assertEqual(quick.nice_ticks(14200)[-1][0], "15,000")

    def test_values(self):
        for key, value, words in (("page_bytes", "16384", "16 KiB"), ("pool_bytes", "1572864", "1.5 MiB"),
                                  ("redo.group_ns", "200000", "200 µs"), ("clients", "1024", "1,024"),
                                  ("workload", "a", "YCSB A"), ("device", "sim_ssd", "simulated SSD"),
                                  ("guard", "none", "no guard"), ("keys", "-", "")):
            self.assertEqual(style.value_word(key, value), words)
        self.assertEqual(style.phrase("page_bytes", "16384"), "page size 16 KiB")
        self.assertEqual(style.phrase("placement", "zone"), "zones")
        self.assertEqual(style.key_word("sim_ssd.gc_stream"), "sim_ssd.gc_stream")  # as an experiment writes it

    def test_numbers_are_in_order_of_their_value(self):
        self.assertEqual(measures.order("page_bytes", ["16384", "8192", "-", "65536"]), ["-", "8192", "16384", "65536"])

    def test_markup_is_escaped(self):
        self.assertIn(r"sim\_ssd \{x\^2\}", canvas.bold("sim_ssd {x^2}"))


if __name__ == "__main__":
    unittest.main()
