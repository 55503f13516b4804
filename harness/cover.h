/* cover.h - a sample of a product in which every pair that the product has still occurs.
 *
 * What goes wrong between policies mostly goes wrong between two of them (Kuhn, Wallace, Gallo, IEEE TSE 30, 2004: one
 * choice or two trigger 70 to 97 % of the faults of the systems they looked at). So where all of a product is too much, a
 * sample is run in which each choice of one axis meets each choice of another at least once, if it does in the product.
 *
 * Greedy: the row with the most pairs not yet covered is taken until none is left; ties go by a hash of seed and row, so
 * that another seed gives another sample. The product is a list of rows, not a grid: what is illegal is not among them.
 * Cost: rows * columns^2 a row taken. The sample is near the product of the two largest columns, not the least possible. */
#ifndef PL_HARNESS_COVER_H
#define PL_HARNESS_COVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COVER_COLUMNS 16u
#define COVER_VALUES 32u /* each value is less */

/* rows of `columns` values each, one after another. Sets chosen[0..rows) and returns how many are true. A pure function. */
size_t cover_pairs(const uint8_t *row, size_t rows, size_t columns, uint64_t seed, bool *chosen);

#endif
