"""load_test.py - what the loader refuses, and what it computes."""

import json
import os
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import load      # noqa: E402
import measures  # noqa: E402
import sample    # noqa: E402


class Loader(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.directory = pathlib.Path(self.scratch.name) / "demo"
        self.done = sample.write(self.directory)
        self.first = self.directory / "0000.jsonl"

    def tearDown(self):
        self.scratch.cleanup()

    def rewrite(self, change):
        rows = [json.loads(line) for line in self.first.read_text(encoding="utf-8").splitlines()]
        change(rows)
        self.first.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    def refused(self):
        experiment = load.load(self.directory)
        self.assertEqual(len(experiment.runs), self.done - 1)
        self.assertEqual([path for path, _ in experiment.refused], [self.first])
        return experiment.refused[0][1]

    def test_whole_experiment(self):
        experiment = load.load(self.directory)
        self.assertEqual((experiment.name, len(experiment.runs), experiment.refused), ("demo", self.done, []))
        self.assertEqual(len(experiment.skipped), 12)
        self.assertIn("cannot be overwritten", experiment.skipped[0][1])

    def test_refuses_without_end_row(self):
        self.rewrite(lambda rows: rows.pop())
        self.assertIn("no end row", self.refused())

    def test_refuses_cut_off_line(self):
        self.first.write_text(self.first.read_text(encoding="utf-8")[:-1], encoding="utf-8")
        self.assertIn("cut off", self.refused())

    def test_refuses_no_json(self):
        self.first.write_text("{no\n", encoding="utf-8")
        self.assertIn("cannot be read", self.refused())

    def test_refuses_failed_run(self):
        self.rewrite(lambda rows: rows[-1].update(status="failed", reason="3 mismatches"))
        self.assertIn("3 mismatches", self.refused())

    def test_refuses_two_runs_in_a_file(self):
        self.rewrite(lambda rows: rows.insert(1, dict(rows[0])))
        self.assertIn("more than one run", self.refused())

    def test_refuses_mixed_schema(self):
        self.rewrite(lambda rows: rows[0].update(schema=2))
        with self.assertRaisesRegex(load.LoadError, "mixes schemas"):
            load.load(self.directory)

    def test_refuses_mixed_experiments(self):
        self.rewrite(lambda rows: rows[0].update(experiment="other"))
        with self.assertRaisesRegex(load.LoadError, "mixes experiments"):
            load.load(self.directory)

    def test_refuses_empty_directory(self):
        with self.assertRaisesRegex(load.LoadError, "no results"):
            load.load(self.directory.parent)

    def test_newest_of_an_index_counts(self):
        older = self.directory / "0000-older.jsonl"
        self.first.rename(older)
        os.utime(older, (1, 1))
        self.first.write_text(older.read_text(encoding="utf-8").replace('"seed": 1', '"seed": 7'), encoding="utf-8")
        experiment = load.load(self.directory)
        self.assertEqual(len(experiment.runs), self.done)
        self.assertEqual(experiment.runs[0].seed, 7)
        self.assertEqual([path for path, _ in experiment.refused], [older])

    def test_part_files_are_not_results(self):
        self.first.rename(self.first.with_suffix(".jsonl.part"))
        self.assertEqual(len(load.load(self.directory).runs), self.done - 1)

    def test_absent_metric_is_none(self):
        run = load.load(self.directory).runs[0]
        self.assertIsNone(run.metric("run", "no_such_bytes"))
        self.assertIsNone(run.metric("warm", "operations"))
        self.assertIsNone(run.quantile_ns("run", "scan", 9900))

    def test_throughput(self):
        run = load.load(self.directory).runs[0]
        self.assertAlmostEqual(run.operations_per_second(), sample.BASE_OPERATIONS_PER_SECOND, delta=1)


class Quantiles(unittest.TestCase):
    def test_rank_in_buckets(self):
        hist = load.Hist(100, 0, 10, 95, [[19, 50], [59, 48], [89, 1], [127, 1]])
        self.assertEqual(hist.quantile_ns(5000), 19)
        self.assertEqual(hist.quantile_ns(5001), 59)
        self.assertEqual(hist.quantile_ns(9800), 59)
        self.assertEqual(hist.quantile_ns(9900), 89)

    def test_never_above_the_greatest(self):
        self.assertEqual(load.Hist(2, 0, 10, 95, [[19, 1], [127, 1]]).quantile_ns(10000), 95)

    def test_empty(self):
        self.assertIsNone(load.Hist(0, 0, 0, 0, []).quantile_ns(9900))


class Measures(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        directory = pathlib.Path(self.scratch.name)
        sample.write(directory)
        self.experiment = load.load(directory)

    def tearDown(self):
        self.scratch.cleanup()

    def test_amplification_adds_up(self):
        run = self.experiment.runs[0]
        self.assertEqual(measures.amplification(run), (1.0, 9.0, 2.0))
        self.assertEqual(measures.write_amplification(run), 12.0)

    def test_no_writes_no_amplification(self):
        reads = next(run for run in self.experiment.runs if measures.workload(run) == "c")
        self.assertIsNone(measures.amplification(reads))

    def test_amplification_below_one_is_kept(self):
        run = self.experiment.runs[0]
        run.phases["run"].update(host_write_bytes=run.metric("run", "user_write_bytes") // 2, media_write_bytes=0)
        self.assertEqual(measures.amplification(run), (0.5, 0.0, 0.0))

    def test_varying_leaves_out_what_follows(self):
        self.assertEqual(measures.varying(self.experiment), ["device", "workload", "node", "space", "placement"])

    def test_readers_order(self):
        self.assertEqual(measures.order("space", ["hole", "new", "lz4", "raw"]), ["raw", "lz4", "hole", "new"])


if __name__ == "__main__":
    unittest.main()
