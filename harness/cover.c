#include "harness/cover.h"

#include "engine/base/rng.h"

#include <assert.h>
#include <string.h>

/* seen[a][b][x][y]: a row taken has x in column a and y in column b > a */
struct pairs {
	bool seen[COVER_COLUMNS][COVER_COLUMNS][COVER_VALUES][COVER_VALUES];
};

static size_t unseen(const struct pairs *p, const uint8_t *row, size_t columns)
{
	size_t n = 0;
	for (size_t a = 0; a < columns; a++)
		for (size_t b = a + 1; b < columns; b++)
			n += !p->seen[a][b][row[a]][row[b]];
	return n;
}

static void see(struct pairs *p, const uint8_t *row, size_t columns)
{
	for (size_t a = 0; a < columns; a++)
		for (size_t b = a + 1; b < columns; b++)
			p->seen[a][b][row[a]][row[b]] = true;
}

size_t cover_pairs(const uint8_t *row, size_t rows, size_t columns, uint64_t seed, bool *chosen)
{
	struct pairs p;
	size_t taken = 0;
	assert(columns > 1 && columns <= COVER_COLUMNS);
	for (size_t i = 0; i < rows * columns; i++)
		assert(row[i] < COVER_VALUES);
	memset(&p, 0, sizeof p);
	memset(chosen, 0, rows * sizeof *chosen);
	for (;;) {
		size_t best = 0, most = 0;
		uint64_t rank = 0;
		for (size_t i = 0; i < rows; i++) {
			size_t n = unseen(&p, row + i * columns, columns);
			uint64_t own = pl_mix64(seed ^ pl_mix64(i));
			if (n > most || (n && n == most && own < rank)) {
				best = i;
				most = n;
				rank = own;
			}
		}
		if (!most)
			return taken;
		see(&p, row + best * columns, columns);
		chosen[best] = true;
		taken++;
	}
}
