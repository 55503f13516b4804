"""report_test.py - the page says what the numbers say, stands alone, and every figure can be drawn."""

import html.parser
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import load      # noqa: E402
import measures  # noqa: E402
import report    # noqa: E402
import sample    # noqa: E402
import style     # noqa: E402


class Outline(html.parser.HTMLParser):
    """Tags, ids, and what a page would fetch."""

    def __init__(self):
        super().__init__()
        self.ids, self.fetched, self.rows, self.images = [], [], 0, []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.rows += tag == "tr"
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if tag == "svg":
            self.images.append(attrs.get("aria-label"))
        for name in ("src", "href", "xlink:href"):
            if name in attrs and not attrs[name].startswith("#"):
                self.fetched.append(attrs[name])


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        runs = pathlib.Path(cls.scratch.name) / "runs with blanks"
        cls.figures = runs / "figures"
        cls.done = sample.write(runs, seeds=(1, 2))
        cls.figures.mkdir()
        for script in (HERE / "quick.py", HERE / "paper" / "demo.py"):
            subprocess.run([sys.executable, str(script), str(runs), "--out", str(cls.figures)], check=True)
        out = runs / "report.html"
        subprocess.run([sys.executable, str(HERE / "report.py"), str(runs), "--figures", str(cls.figures),
                        "--out", str(out)], check=True)
        cls.experiment = load.load(runs)
        cls.page = out.read_text(encoding="utf-8")
        cls.outline = Outline()
        cls.outline.feed(cls.page)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def test_stands_alone(self):
        self.assertEqual(self.outline.fetched, [])
        self.assertNotRegex(self.page, r"@import|url\((?!#)")

    def test_ids_are_unique(self):
        self.assertEqual(len(self.outline.ids), len(set(self.outline.ids)))

    def test_references_are_found(self):
        wanted = set(re.findall(r"(?:href=[\"']|url\()#([^\"')]+)", self.page))
        self.assertEqual(wanted - set(self.outline.ids), set())

    def test_every_figure_has_words(self):
        self.assertEqual(len(self.outline.images), 5)
        self.assertTrue(all(self.outline.images))

    def test_every_run_has_a_row_and_a_command(self):
        self.assertEqual(self.page.count("--index "), self.done)

    def test_sentences_have_the_direction_of_the_numbers(self):
        table, others = measures.variants(self.experiment)
        said = [re.sub(r"<.*?>", "", sentence) for sentence in report.sentences(report.effects(table, others))]
        self.assertIn("LZ4 against raw (space policy), all else equal: faster everywhere", " ".join(said))
        self.assertIn("holes against raw (space policy), all else equal: as fast (within 2 %) everywhere",
                      " ".join(said))
        self.assertRegex(" ".join(said), r"zones against in place .*: faster in 1 of 2 settings.*\(× 2\.00\); "
                                         r"slower in 1 of 2 settings.*\(× 0\.50\); single pairs × 0\.50 to × 2\.00")

    def test_what_changes_with_a_choice_is_told(self):
        self.assertIn("(placement, and with it addressing, cleaning, guard)", self.page)
        self.assertIn("</strong> against raw (space policy), all else equal", self.page)

    def test_claims_are_stated_not_judged(self):
        self.assertNotIn("not judged", self.page)
        self.experiment.runs[0].run["expect"] = {"holes": "save at most a quarter"}
        try:
            page = report.page(self.experiment, self.figures)
        finally:
            self.experiment.runs[0].run["expect"] = {}
        self.assertIn("Stated, not judged", page)
        self.assertIn("save at most a quarter", page)

    def test_wide_things_scroll_in_their_own_box(self):
        for tag in ("<table", "<svg"):
            self.assertEqual(self.page.count(tag), self.page.count(f'<div class="wide">{tag}'))
        self.assertIn(".wide { overflow-x: auto", self.page)

    def test_throughput_is_the_first_of_the_plain_figures(self):
        found = re.findall(r"<figcaption><code>(.*?)</code>", self.page)
        self.assertEqual(found, ["demo.throughput", "demo.latency", "demo.space", "demo.writes"])

    def test_real_devices_are_left_out_of_sentences(self):
        table, others = measures.variants(self.experiment)
        said = " ".join(report.sentences(report.effects(table, others), {("sim_ssd", "a"), ("sim_ssd", "c")}))
        self.assertNotIn("zones</strong> against", said)
        self.assertIn("real device (simulated SSD)", said)

    def test_fastest_variant(self):
        table, others = measures.variants(self.experiment)
        _, rows = report.ranking(table, others)
        of = {row[0]: row[1] for row in rows}
        self.assertEqual(of["simulated SSD, YCSB A (50 % read, 50 % update)"], "ordinal, LZ4, zones")
        self.assertEqual(of["simulated SSD, YCSB C (reads only)"], "ordinal, LZ4, in place")

    def test_mixed_revisions_are_told(self):
        self.assertNotIn("revisions of the program", self.page)
        self.experiment.runs[0].host["revision"] = "other"
        try:
            self.assertIn("from 2 revisions of the program", report.page(self.experiment, self.figures))
        finally:
            self.experiment.runs[0].host["revision"] = self.experiment.runs[1].host["revision"]

    def test_skipped_with_reason(self):
        self.assertIn("a zoned device cannot be overwritten", self.page)

    def test_text_is_escaped(self):
        self.experiment.runs[0].run["choices"]["node"] = "<script>evil"
        try:
            self.assertNotIn("<script>evil", report.page(self.experiment, self.figures))
        finally:
            self.experiment.runs[0].run["choices"]["node"] = "slotted"

    def test_same_numbers_same_picture(self):
        again = self.figures / "again"
        again.mkdir()
        subprocess.run([sys.executable, str(HERE / "paper" / "demo.py"), str(self.experiment.directory),
                        "--out", str(again)], check=True)
        self.assertEqual((again / "demo.svg").read_bytes(), (self.figures / "demo.svg").read_bytes())

    def test_no_results_is_an_error(self):
        for script in ("quick.py", "paper/demo.py"):
            done = subprocess.run([sys.executable, str(HERE / script), str(self.figures), "--out", str(self.figures)],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, "holds no results")
            self.assertNotIn("Traceback", done.stderr)


class Style(unittest.TestCase):
    def test_no_two_choices_of_an_axis_look_alike(self):
        looks = [(axis, *look) for (axis, _), look in style.LOOKS.items()]
        self.assertEqual(len(looks), len(set(looks)))

    def test_numbers_for_readers(self):
        self.assertEqual([style.number(value) for value in (0.01234, 4.567, 45.67, 456.7, 45678)],
                         ["0.0123", "4.57", "45.7", "457", "45,678"])


if __name__ == "__main__":
    unittest.main()
