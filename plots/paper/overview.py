#!/usr/bin/python3
"""overview.py - every product of the lab, sorted: which choices matter, and which hardly do?

One panel a device. A dot is a product, from the slowest to the fastest; below it a strip for each axis has its choice in
colour. An axis that decides sorts its colours, one that does not matter is evenly mixed. The table is legend and summary: the
median throughput of all products with a choice, over that of all products of the device. "alone" compares products that
differ in nothing but this choice: the median, over all devices, of its throughput over that of the median of its rivals; it is
missing where no rival is legal in the same place (addressing follows placement).
"""

import pathlib
import statistics
import sys

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import against   # noqa: E402
import load      # noqa: E402
import measures  # noqa: E402
import style     # noqa: E402

QUESTION = "Every legal product of all choices, sorted by throughput"
AXES = ("structure", "node", "space", "addressing", "placement", "cleaning", "durability", "guard")
NONE = "-"
SHORT = {"dwb": "double writes", "pingpong": "two slots"}  # where the words of style.py are too long for the table
WIDTH, STRIP, DOTS, ROW = against.PAGE, 0.115, 1.15, 0.148  # inches: page, a strip, the dots, a row of the table
CAPTION = ("Each panel: dots are products in the order of their throughput; each strip below says what they chose on one axis "
           "(white: the axis does not apply). Table: median throughput of all products with a choice over the median of all "
           "products of the device; alone: against products that differ in this choice only, all devices.")


def by_device(experiment):
    """{device: [(kops, {axis: choice})]}, the slowest first. Several seeds of a product are their median."""
    found = {}
    for run in experiment.runs:
        value = measures.kops(run)
        if value is not None:
            key = tuple(run.choice(axis) for axis in AXES)
            found.setdefault(run.choice("device"), {}).setdefault(key, []).append(value)
    return {device: sorted(((statistics.median(values), dict(zip(AXES, key))) for key, values in found[device].items()),
                           key=lambda product: (product[0], sorted(product[1].items())))
            for device in measures.order("device", found)}


def choices(products):
    """{axis: [choice]} of the axes on which there is something to choose, in the readers' order."""
    seen = {axis: {product[axis] for of_device in products.values() for _, product in of_device} for axis in AXES}
    return {axis: measures.order(axis, names) for axis, names in seen.items() if len(names - {NONE}) > 1}


def marginal(of_device, axis, choice):
    """Median of the products with this choice over that of all; None if there is none, or no other."""
    values = [value for value, product in of_device if product[axis] == choice]
    if len(values) in (0, len(of_device)):
        return None
    return statistics.median(values) / statistics.median(value for value, _ in of_device)


def alone(products, axis, choice):
    """Median over all places in which it has rivals; None if it has none anywhere."""
    ratios = []
    for of_device in products.values():
        places = {}
        for value, product in of_device:
            place = tuple(name for other, name in sorted(product.items()) if other != axis)
            places.setdefault(place, {})[product[axis]] = value
        for values in places.values():
            rivals = [value for name, value in values.items() if name != choice]
            if choice in values and rivals:
                ratios.append(values[choice] / statistics.median(rivals))
    return statistics.median(ratios) if ratios else None


def colour(axis, names, choice):
    if choice == NONE:
        return "#FFFFFF"
    known = [name for name in names if name != NONE]
    taken = {style.LOOKS[axis, name][0] for name in known if (axis, name) in style.LOOKS}
    if (axis, choice) in style.LOOKS:
        return style.LOOKS[axis, choice][0]
    spare = [one for one in style.SPARE_COLOURS + (style.YELLOW, style.LIGHT) if one not in taken]
    unknown = [name for name in known if (axis, name) not in style.LOOKS]
    return spare[unknown.index(choice) % len(spare)]


def draw_panel(figure, box, device, of_device, axes_shown):
    """Dots above, strips below; box in inches from the top left: left, top, width."""
    from matplotlib.colors import to_rgb
    left, top, width = box
    _, height = figure.get_size_inches()
    total = figure.get_size_inches()[0]
    n = len(of_device)
    dots = figure.add_axes([left / total, 1 - (top + DOTS) / height, width / total, DOTS / height])
    size = max(1.2, min(5.0, 380 / n))
    dots.plot(range(n), [value for value, _ in of_device], linestyle="none", marker="o", markersize=size, color=style.BLACK,
              markeredgewidth=0)
    dots.set_xlim(-0.5, n - 0.5)
    dots.set_ylim(0, of_device[-1][0] * 1.15)
    dots.set_xticks([])
    dots.set_ylabel("thousand ops/s", labelpad=2)
    dots.set_title(f"{style.word(device)}: {n} products", loc="left", fontsize=8, fontweight="bold", pad=3)
    for at in (0, n // 2, n - 1):
        dots.annotate(style.number(of_device[at][0]), (at, of_device[at][0]), xytext=(0, 3), textcoords="offset points",
                      ha="left" if at == 0 else "right" if at == n - 1 else "center", fontsize=against.SMALL)
    tall = STRIP * len(axes_shown)
    strips = figure.add_axes([left / total, 1 - (top + DOTS + 0.03 + tall) / height, width / total, tall / height])
    picture = numpy.array([[to_rgb(colour(axis, names, product[axis])) for _, product in of_device]
                           for axis, names in axes_shown.items()])
    strips.imshow(picture, aspect="auto", interpolation="nearest", extent=(-0.5, n - 0.5, len(axes_shown) - 0.5, -0.5))
    for at in range(1, len(axes_shown)):
        strips.axhline(at - 0.5, color="white", linewidth=1.2)
    strips.set_xticks([])
    strips.set_yticks(range(len(axes_shown)), labels=[style.key_word(axis) for axis in axes_shown], fontsize=against.SMALL)
    strips.tick_params(axis="y", length=0, pad=2)
    strips.grid(False)
    for spine in strips.spines.values():
        spine.set_visible(False)


def table_rows(products, axes_shown):
    """[(axis, choice, [effect on each device], effect alone)]; a row of only an axis' name first."""
    rows = []
    for axis, names in axes_shown.items():
        rows.append((axis, None, [], None))
        rows += [(axis, name, [marginal(of_device, axis, name) for of_device in products.values()],
                  alone(products, axis, name)) for name in names if name != NONE]
    return rows


def columns_of(rows, count):
    """The rows in so many columns of about one height, no axis divided."""
    blocks = []
    for row in rows:
        if row[1] is None:
            blocks.append([])
        blocks[-1].append(row)
    tallest = -(-len(rows) // count)
    while True:
        columns = [[]]
        for block in blocks:
            if columns[-1] and len(columns[-1]) + len(block) > tallest:
                columns.append([])
            columns[-1] += block
        if len(columns) <= count:
            return columns
        tallest += 1


def draw_table(figure, top, columns, devices, axes_shown):
    from matplotlib.patches import Rectangle
    total, height = figure.get_size_inches()
    width = (total - 0.2) / len(columns)
    heads = [{"sim_ssd": "SSD", "sim_zns": "zoned", "sim_opfs": "OPFS"}.get(device, device.replace("sim_", ""))
             for device in devices] + ["alone"]
    each = min(0.42, (width - 1.05) / len(heads))

    def say(x, y, words, **how):
        figure.text(x / total, 1 - y / height, words, fontsize=against.SMALL, va="center", **how)

    for number, rows in enumerate(columns):
        left = 0.1 + number * width
        for at, (axis, choice, effects, rival) in enumerate(rows):
            y = top + (at + 0.5) * ROW
            if choice is None:
                say(left, y, style.key_word(axis), fontweight="bold")
                for k, head in enumerate(heads):
                    say(left + width - 0.12 - (len(heads) - 1 - k) * each, y, head, ha="right", color=style.GREY)
                continue
            figure.add_artist(Rectangle((left / total, 1 - (y + 0.045) / height), 0.11 / total, 0.09 / height,
                                        facecolor=colour(axis, axes_shown[axis], choice), linewidth=0))
            words = style.value_word(axis, choice) or choice
            say(left + 0.16, y, SHORT.get(choice, words))
            for k, effect in enumerate([*effects, rival]):
                say(left + width - 0.12 - (len(heads) - 1 - k) * each, y, "–" if effect is None else f"{effect:.2f}",
                    ha="right", fontweight="bold" if effect is not None and not 0.9 < effect < 1.1 else "normal")


def draw(experiment, pyplot):
    products = by_device(experiment)
    if not products:
        raise load.LoadError(f"{experiment.directory} has no run that this figure shows")
    axes_shown = choices(products)
    columns = columns_of(table_rows(products, axes_shown), 3)
    panel = 0.26 + DOTS + 0.03 + STRIP * len(axes_shown)
    table = ROW * max(map(len, columns))
    foot = 0.1 + 0.125 * against.caption_lines(CAPTION, WIDTH)
    height = 0.3 + panel * len(products) + 0.2 + table + foot
    figure = pyplot.figure(figsize=(WIDTH, height))
    figure.text(0.1 / WIDTH, 1 - 0.06 / height, QUESTION, fontsize=11, fontweight="bold", va="top")
    for number, (device, of_device) in enumerate(products.items()):
        draw_panel(figure, (0.85, 0.3 + panel * number + 0.24, WIDTH - 0.95), device, of_device, axes_shown)
    draw_table(figure, 0.3 + panel * len(products) + 0.14, columns, list(products), axes_shown)
    against.caption(figure, CAPTION)
    return against.finish(figure, experiment)


if __name__ == "__main__":
    sys.exit(against.program(__file__, draw, QUESTION, lambda experiment: f"{CAPTION} {measures.caption(experiment)}"))
