"""closed.py - the lines that figures compare cleaning with: write amplification in steady state, by theory.

The same balance equations as harness/closed_forms.c, solved another way (bisection, floats of the C library), so that a
test can hold one against the other. u: live pages / all pages; blocks of `pages` pages.

    fifo, fifo_classes   Desnoyers, SYSTOR 2012
    greedy, choices      Van Houdt, SIGMETRICS 2013
    optimal              Desnoyers 2012; Stoica & Ailamaki, PVLDB 2013
"""

import math


def bisect(function, low, high):
    """The root of a rising function."""
    for _ in range(200):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (low, middle) if function(middle) > 0 else (middle, high)
    return (low + high) / 2


def fifo(u):
    valid = bisect(lambda v: math.log(v) + (1 - v) / u, 1e-300, u)
    return 1 / (1 - valid)


def greedy(u, pages):
    """Blocks are taken at m valid pages, or m - 1: the least m with room for it."""
    tail, m = 0.0, pages
    while m > 0 and u * pages * (tail + 1 / m) <= pages - m + 1:
        tail += 1 / m
        m -= 1
    if m == 0:
        return 1.0
    return pages * (1 / (u * pages) - 1 / m) / (tail - (pages - m) / m)


def choices(u, pages, drawn):
    """The best of so many blocks drawn at random."""
    def surplus(rate):
        above, total = 0.0, 0.0
        for i in range(pages, 0, -1):
            c = 1 / (rate * i)
            s = min(1.0, above + c)
            for _ in range(100):
                following = s - (s - above - c * (1 - s ** drawn)) / (1 + c * drawn * s ** (drawn - 1))
                if not following < s:
                    break
                s = following
            above = s
            total += s
        return u * pages - total
    low, high = 0.0, 1 / u
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if surplus(middle) > 0 else (middle, high)
    return 1 / (high * u)


def fifo_classes(u, classes):
    """classes: [(share of data, share of writes)] mixed in one log."""
    def surplus(amplification):
        return amplification - sum(writes / -math.expm1(-writes / (data * u * amplification))
                                   for data, writes in classes if writes > 0)
    high = 2.0
    while surplus(high) < 0:
        high *= 2
    return bisect(surplus, 1.0, high)


def optimal(u, classes):
    """Each class in a log of its own, the spare pages split best."""
    def split(price):
        space, written = 0.0, 0.0
        for data, writes in classes:
            wanted = writes / (data * price)
            x = bisect(lambda x: x - math.log1p(x) - wanted, 1e-12, 2 * wanted + 2)  # x = 1/v - 1
            space += data * math.log1p(x) * (1 + x) / x
            written += writes * (1 + 1 / x)
        return space, written
    price = math.exp(bisect(lambda log_price: 1 / u - split(math.exp(log_price))[0], math.log(1e-9), math.log(1e9)))
    return split(price)[1]


def hot_cold(writes, data):
    return [(data, writes), (1 - data, 1 - writes)]


def zipf(items, theta):
    """Classes of Zipf's law: the first ranks one by one, then groups of neighbours that end 5 % later."""
    groups, first, total = [], 1, 0.0
    while first <= items:
        last = min(items, max(first, first + first // 20 - 1))
        # the sum of a short run of ranks, by the midpoint rule
        count = last - first + 1
        mass = sum(rank ** -theta for rank in range(first, last + 1)) if count < 64 else count * (
            ((first - 0.5) ** (1 - theta) - (last + 0.5) ** (1 - theta)) / ((theta - 1) * count)
            if theta != 1 else math.log((last + 0.5) / (first - 0.5)) / count)
        groups.append((count, mass))
        total += mass
        first = last + 1
    return [(count / items, mass / total) for count, mass in groups]
