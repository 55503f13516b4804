#include "harness/products.h"

#include "harness/cover.h"
#include "variants/registry.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static uint64_t shard(uint64_t *of)
{
	const char *text = getenv("PAGELAB_SHARD");
	unsigned long long i = 0, n = 1;
	char rest;
	if (text && *text && (sscanf(text, "%llu/%llu%c", &i, &n, &rest) != 2 || i >= n)) {
		(void)fprintf(stderr, "PAGELAB_SHARD wants I/N with 0 <= I < N, not '%s'\n", text);
		exit(2);
	}
	*of = n;
	return i;
}

bool products_mine(size_t number)
{
	uint64_t of, own = shard(&of);
	return number % of == own;
}

static const char *name_wanted(void)
{
	const char *only = getenv("PAGELAB_PRODUCT");
	return only && *only ? only : NULL;
}

bool products_whole(void)
{
	uint64_t of;
	(void)shard(&of);
	return of == 1 && !name_wanted() && !model_packed_page_bytes();
}

/* Which choice a product has on each axis; one that does not apply is a value of its own. */
static void row_of(const struct kv_choice *c, uint8_t row[REG_AXES])
{
	for (int a = 0; a < REG_AXES; a++) {
		const char *name = reg_chosen(c, (enum reg_axis)a);
		size_t k = 0;
		while (reg_choice((enum reg_axis)a, k) && strcmp(reg_choice((enum reg_axis)a, k)->name, name) != 0)
			k++;
		row[a] = (uint8_t)k;
	}
}

static void mark_sample(struct products *p)
{
	uint8_t *row = calloc(p->n + 1, REG_AXES);
	bool *chosen = calloc(p->n + 1, sizeof *chosen);
	assert(row && chosen);
	for (size_t i = 0; i < p->n; i++)
		row_of(&p->item[i].choice, row + i * REG_AXES);
	(void)cover_pairs(row, p->n, REG_AXES, model_env("SEED", 1), chosen);
	for (size_t i = 0; i < p->n; i++)
		p->item[i].sampled = chosen[i];
	free(row);
	free(chosen);
}

/* Products that follow each other are alike, and with them their cost: shards are dealt from a shuffled list. */
static uint64_t *shuffled(size_t n)
{
	struct pl_rng rng;
	uint64_t *at = calloc(n + 1, sizeof *at);
	assert(at);
	pl_rng_seed(&rng, 1, 0);
	for (size_t i = 0; i < n; i++)
		at[i] = i;
	for (size_t i = n; i > 1; i--) {
		size_t k = pl_rng_below(&rng, i);
		uint64_t kept = at[i - 1];
		at[i - 1] = at[k];
		at[k] = kept;
	}
	return at;
}

/* Keep what is wanted. A sample is dealt by itself, so that its shards are of one size, too. */
static void keep(struct products *p, bool sample)
{
	const char *only = name_wanted();
	uint64_t *deal = shuffled(p->n);
	size_t dealt = 0, kept = 0;
	bool *mine = calloc(p->n + 1, sizeof *mine);
	assert(mine);
	for (size_t i = 0; i < p->n; i++)
		if (only ? strstr(p->item[deal[i]].name, only) != NULL : !sample || p->item[deal[i]].sampled)
			mine[deal[i]] = products_mine(dealt++);
	for (size_t i = 0; i < p->n; i++)
		if (mine[i])
			p->item[kept++] = p->item[i];
	p->n = kept;
	free(deal);
	free(mine);
}

void products_choose(struct products *p, bool (*applies)(const struct kv_choice *c))
{
	struct kv_choice c;
	size_t room = 0;
	*p = (struct products){0};
	for (size_t i = 0; model_product(&i, &c); i++) {
		if (applies && !applies(&c))
			continue;
		if (p->n == room) {
			room = room ? 2 * room : 256;
			p->item = realloc(p->item, room * sizeof *p->item);
			assert(p->item);
		}
		p->item[p->n] = (struct product){.choice = c, .number = p->n};
		(void)model_product_name(&c, p->item[p->n++].name);
	}
	p->all = p->n;
	mark_sample(p);
	keep(p, model_env("SAMPLE", SANITIZED) != 0);
}

void products_free(struct products *p)
{
	free(p->item);
	*p = (struct products){0};
}
