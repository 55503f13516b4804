/* nodes.c - lookups in a tree of pages, each waiting for the value of the one before, by layout, page and place.
 *
 *     node/LAYOUT/KEYS/PAGE/cached     a tree of about 256 KiB, which stays in the second cache
 *     node/LAYOUT/KEYS/PAGE/memory     a tree of about 192 MiB, which stays in none
 *
 * Items are lookups. Values have 100 bytes; pages are as full as random inserts leave them. */
#include "harness/micro/micro.h"

#include "engine/base/rng.h"
#include "harness/node_tree.h"
#include "harness/options.h"
#include "harness/util.h"
#include "variants/registry.h"
#include "workloads/generators.h"
#include "workloads/keys/keys.h"
#include "workloads/workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOKUPS (1u << 15) /* of a call */
#define VALUE_BYTES 100
#define RECORD_BYTES 170 /* of a tree, about */

struct bench {
	struct pl_conf conf;
	struct node_tree tree;
	uint8_t *key;
	uint32_t key_bytes[LOOKUPS + 1]; /* where each begins */
};

static const struct layout {
	const char *label, *node, *key, *value; /* an option and what it is set to, or NULL */
} layouts[] = {{"slotted", "slotted", NULL, NULL}, {"textbook", "slotted", "slotted.heads", "0"},
	{"hints", "slotted", "slotted.hints", "16"}, {"ordinal", "ordinal", NULL, NULL}, {"b2", "b2", "b2.heads", "0"},
	{"b2-heads", "b2", "b2.heads", "1"}};

static const struct nod_ops *layout_named(const char *label, struct pl_conf *conf)
{
	struct pl_fault f = {0};
	const struct reg_choice *c;
	for (size_t i = 0; i < PL_COUNT(layouts); i++) {
		if (strcmp(layouts[i].label, label) != 0)
			continue;
		if (layouts[i].key && pl_conf_set(conf, layouts[i].key, layouts[i].value, &f))
			return NULL;
		for (size_t k = 0; (c = reg_choice(REG_NODE, k)); k++)
			if (strcmp(c->name, layouts[i].node) == 0)
				return (const struct nod_ops *)(const void *)c;
	}
	return NULL;
}

static const struct wl_key_ops *keys_named(const char *name)
{
	for (size_t i = 0; wl_key_forms[i]; i++)
		if (strcmp(wl_key_forms[i]->name, name) == 0)
			return wl_key_forms[i];
	return NULL;
}

static void bench_close(void *state)
{
	struct bench *b = state;
	node_tree_close(&b->tree);
	pl_conf_free(&b->conf);
	free(b->key);
	free(b);
}

static int fill(struct bench *b, const struct wl_key_ops *keys, uint64_t records, struct pl_fault *f)
{
	const struct wl_key_form form = {.zeropadding = 1};
	uint8_t key[WL_KEY_MAX], value[VALUE_BYTES] = {0};
	struct gen_scatter order;
	struct pl_rng rng;
	int err = PL_OK;
	gen_scatter_init(&order, records, 1);
	for (uint64_t i = 0; i < records && !err; i++) {
		size_t n = keys->make(&form, gen_scatter(&order, i), key);
		memcpy(value, &i, sizeof i);
		err = node_tree_insert(&b->tree, pl_slice_of(key, n), pl_slice_of(value, VALUE_BYTES), f);
	}
	b->key = lab_calloc(LOOKUPS, keys->bytes_max(&form));
	pl_rng_seed(&rng, 1, 0);
	for (uint32_t i = 0; i < LOOKUPS; i++)
		b->key_bytes[i + 1] = b->key_bytes[i] + (uint32_t)keys->make(&form, pl_rng_below(&rng, records),
								b->key + b->key_bytes[i]);
	return err;
}

static void *nodes_open(const struct micro *m, const char **why)
{
	static struct pl_fault f;
	char layout[16], form[16], place[16];
	unsigned kib;
	if (sscanf(m->name, "node/%15[^/]/%15[^/]/%uK/%15s", layout, form, &kib, place) != 4)
		abort();
	struct bench *b = lab_calloc(1, sizeof *b);
	lab_conf_init(&b->conf);
	const struct nod_ops *ops = layout_named(layout, &b->conf);
	const struct wl_key_ops *keys = keys_named(form);
	if (!ops || !keys)
		abort();
	int err = node_tree_open(&b->tree, ops, &b->conf, kib << 10, keys->integers, &f);
	if (!err)
		err = fill(b, keys, m->bytes / RECORD_BYTES, &f);
	if (!err)
		return b;
	*why = f.text;
	bench_close(b);
	return NULL;
}

static uint64_t nodes_run(void *state)
{
	const struct bench *b = state;
	const struct node_tree *t = &b->tree;
	uint64_t wait = 0;
	for (uint32_t i = 0; i < LOOKUPS; i++) {
		pl_slice key = pl_slice_of(b->key + b->key_bytes[i] + wait, b->key_bytes[i + 1] - b->key_bytes[i]);
		uint32_t page = t->root;
		struct nod_entry e;
		bool exact;
		for (uint32_t level = t->height; level > 1; level--) {
			nod_entry(t->ops, &t->cfg, t->page[page], nod_child(t->ops, &t->cfg, t->page[page], key), &e);
			page = node_tree_child(t, e.value);
		}
		uint32_t slot = nod_lower_bound(t->ops, &t->cfg, t->page[page], key, &exact);
		nod_entry(t->ops, &t->cfg, t->page[page], slot, &e);
		if (!exact)
			abort();
		wait = e.value.p[0];
		__asm__ volatile("and $0, %0" : "+r"(wait)); /* zero, but the processor waits for it */
	}
	return LOOKUPS;
}

static double pages(void *state)
{
	return ((struct bench *)state)->tree.pages;
}

#define ONE(name, place, bytes_)                                                                                       \
	{                                                                                                              \
		name "/" place, nodes_open, nodes_run, bench_close, pages, "pages", bytes_, 0, 0                       \
	}
#define PLACES(name) ONE(name, "cached", (uint64_t)256 << 10), ONE(name, "memory", (uint64_t)192 << 20)
#define PAGES(name) PLACES(name "/8K"), PLACES(name "/16K"), PLACES(name "/32K"), PLACES(name "/64K")

const struct micro node_micros[] = {
	PAGES("node/ordinal/fixed8"),
	PAGES("node/ordinal/dense8"),
	PLACES("node/slotted/fixed8/64K"),
	PLACES("node/hints/fixed8/64K"),
	PLACES("node/b2-heads/fixed8/64K"),
	PLACES("node/textbook/url/64K"),
	PLACES("node/slotted/url/64K"),
	PLACES("node/hints/url/64K"),
	PLACES("node/b2/url/64K"),
	PLACES("node/b2-heads/url/64K"),
	PLACES("node/b2/title/64K"),
	PLACES("node/b2-heads/title/64K"),
	PLACES("node/slotted/title/64K"),
	{.name = NULL},
};
