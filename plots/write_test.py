"""write_test.py - writers of pictures and pages where nothing can be written: one sentence, exit status 1, and what was there
before stays as it was."""

import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import unittest

PLOTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(PLOTS))
import quick   # noqa: E402
import sample  # noqa: E402
import style   # noqa: E402

LEAST = 4096  # bytes a file may have: enough for a table, too little for a picture or a page


class FullDisk(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.runs = pathlib.Path(self.scratch.name) / "runs"
        sample.write(self.runs)
        self.out = self.runs / "figures"
        self.out.mkdir()

    def tearDown(self):
        self.scratch.cleanup()

    def files(self):
        return {path.name: path.read_bytes() for path in self.out.rglob("*")}

    def run_with(self, limit, program, *words):
        def small_files():
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        return subprocess.run([sys.executable, str(PLOTS / program), str(self.runs), *words], preexec_fn=small_files,
                              capture_output=True, text=True, check=False)

    def check(self, program, *words):
        done = self.run_with(None, program, *words)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        before = self.files()
        self.assertTrue(before)
        self.assertFalse([name for name in before if ".part" in name])
        done = self.run_with(LEAST, program, *words)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, rf"\A{program}: [^\n]+\n\Z")
        self.assertEqual(self.files(), before)

    @unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
    def test_quick(self):
        self.check("quick.py", "--out", str(self.out))

    @unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
    def test_stumps_of_gnuplot_are_seen(self):
        self.assertEqual(self.run_with(None, "quick.py", "--out", str(self.out)).returncode, 0)
        for path in [*self.out.glob("*.png"), *self.out.glob("*.svg")]:
            self.assertTrue(quick.is_whole(path), path)
            path.write_bytes(path.read_bytes()[:-20])
            self.assertFalse(quick.is_whole(path), path)

    def test_report(self):
        self.check("report.py", "--figures", str(self.out), "--out", str(self.out / "report.html"))

    def test_written(self):
        path = self.out / "x.txt"
        path.write_text("old")
        with self.assertRaisesRegex(style.WriteError, "cannot write .*x.txt: no room"):
            with style.written(path) as (part,):
                part.write_text("new")
                raise OSError(28, "no room")
        self.assertEqual(self.files(), {"x.txt": b"old"})
        with style.written(path) as (part,):
            part.write_text("new")
        self.assertEqual(self.files(), {"x.txt": b"new"})

    def test_save(self):
        try:
            pyplot = style.matplotlib_defaults()
        except ImportError:
            self.skipTest("matplotlib is not installed")
        figure = pyplot.figure(figsize=(2, 1))
        style.footer(figure, "one run")
        style.save(figure, self.out / "a", "title", "about")
        self.assertEqual(sorted(self.files()), ["a.pdf", "a.png", "a.svg"])
        with self.assertRaisesRegex(style.WriteError, "cannot write .*none/a.svg"):
            style.save(figure, self.out / "none" / "a", "title", "about")


if __name__ == "__main__":
    unittest.main()
