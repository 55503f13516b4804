"""closed_test.py - the lines of the figures against published values, and against each other."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import closed  # noqa: E402

# u: FIFO, greedy with 16, 64, 256 pages a block
UNIFORM = {0.5: (1.255, 1.196, 1.239, 1.251), 0.6: (1.480, 1.391, 1.455, 1.474), 0.7: (1.876, 1.722, 1.833, 1.865),
           0.8: (2.693, 2.361, 2.599, 2.668), 0.9: (5.179, 3.981, 4.821, 5.083), 0.95: (10.172, 6.590, 8.850, 9.798)}
# (writes, data), u: FIFO with both classes mixed, best split
HOT_COLD = {(0.8, 0.2, 0.7): (2.20, 1.49), (0.8, 0.2, 0.9): (5.54, 3.57), (0.9, 0.1, 0.8): (3.53, 1.48),
            (0.9, 0.1, 0.95): (11.25, 4.11)}
ZIPF = {(0.8, 0.7): 2.37, (0.8, 0.9): 6.45, (0.99, 0.8): 4.00, (0.99, 0.9): 7.70}


class Lines(unittest.TestCase):
    def test_uniform(self):
        for u, cells in UNIFORM.items():
            found = [closed.fifo(u)] + [closed.greedy(u, pages) for pages in (16, 64, 256)]
            for value, cell in zip(found, cells):
                self.assertAlmostEqual(value, cell, delta=0.00051)

    def test_choices_between_random_and_greedy(self):
        for u in (0.55, 0.77, 0.93):
            self.assertAlmostEqual(closed.choices(u, 32, 1), 1 / (1 - u), places=6)
            self.assertAlmostEqual(closed.choices(u, 32, 20000), closed.greedy(u, 32), delta=0.01)
        self.assertAlmostEqual(closed.choices(0.8, 256, 2), 3.59, delta=0.03)  # Monte Carlo
        self.assertAlmostEqual(closed.choices(0.8, 256, 10), 2.75, delta=0.03)

    def test_classes(self):
        for (writes, data, u), (mixed, best) in HOT_COLD.items():
            classes = closed.hot_cold(writes, data)
            self.assertAlmostEqual(closed.fifo_classes(u, classes), mixed, delta=0.0051)
            self.assertAlmostEqual(closed.optimal(u, classes), best, delta=0.0051)
        self.assertAlmostEqual(closed.optimal(0.8, closed.hot_cold(0.5, 0.5)), closed.fifo(0.8), places=5)

    def test_zipf(self):
        for (theta, u), mixed in ZIPF.items():
            classes = closed.zipf(int(u * 2048 * 128), theta)
            self.assertAlmostEqual(sum(data for data, _ in classes), 1, places=9)
            self.assertAlmostEqual(closed.fifo_classes(u, classes), mixed, delta=0.0051)


if __name__ == "__main__":
    unittest.main()
