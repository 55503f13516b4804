/* node_tree.c - descent, insert and split.
 *
 * Invariants
 *  1. An inner page's first key is empty; page i of a level holds the keys from its separator to the next.
 *  2. Pages are a function of the layout and of the inserts in their order. */
#include "harness/node_tree.h"

#include "harness/util.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK_BYTES ((size_t)2 << 20)
#define KEY_BYTES_MAX 8192u /* an eighth of 64 KiB */

static uint32_t new_page(struct node_tree *t, bool leaf)
{
	size_t bytes = (t->cfg.page_bytes + 4095u) & ~(size_t)4095;
	if (t->chunks == 0 || t->chunk_used + bytes > CHUNK_BYTES) {
		void *chunk = aligned_alloc(CHUNK_BYTES, CHUNK_BYTES);
		if (!chunk)
			return UINT32_MAX;
		(void)madvise(chunk, CHUNK_BYTES, MADV_HUGEPAGE);
		t->chunk = lab_realloc(t->chunk, (t->chunks + 1) * sizeof *t->chunk);
		t->chunk[t->chunks++] = chunk;
		t->chunk_used = 0;
	}
	t->page = lab_realloc(t->page, (t->pages + 1) * sizeof *t->page);
	t->leaf = lab_realloc(t->leaf, (t->pages + 1) * sizeof *t->leaf);
	t->page[t->pages] = (uint8_t *)t->chunk[t->chunks - 1] + t->chunk_used;
	t->leaf[t->pages] = leaf;
	t->chunk_used += bytes;
	memset(t->page[t->pages], 0, PL_PAGE_HEADER);
	return t->pages++;
}

int node_tree_open(struct node_tree *t, const struct nod_ops *ops, const struct pl_conf *conf, uint32_t page_bytes,
	bool int_keys, struct pl_fault *f)
{
	*t = (struct node_tree){.ops = ops, .height = 1};
	t->cfg = (struct nod_cfg){.page_bytes = page_bytes, .max_key_bytes = page_bytes / 8, .int_keys = int_keys};
	int err = ops->configure ? ops->configure(&t->cfg, conf, f) : PL_OK;
	if (err)
		return err;
	t->root = new_page(t, true);
	if (t->root == UINT32_MAX)
		return pl_fault_set(f, PL_NOMEM, "no memory for pages");
	nod_init(ops, &t->cfg, t->page[t->root], true, (pl_slice){0}, (pl_slice){0});
	return PL_OK;
}

void node_tree_close(struct node_tree *t)
{
	for (size_t i = 0; i < t->chunks; i++)
		free(t->chunk[i]);
	free(t->chunk);
	free(t->page);
	free(t->leaf);
	*t = (struct node_tree){0};
}

struct place {
	uint32_t page, slot;
};

static pl_slice id_value(uint32_t id, uint8_t out[8])
{
	uint64_t wide = id;
	memcpy(out, &wide, 8);
	return pl_slice_of(out, 8);
}

/* A root above the old one and `right`, which begins with sep. */
static int grow(struct node_tree *t, pl_slice sep, uint32_t right)
{
	uint8_t id[8];
	uint32_t root = new_page(t, false);
	if (root == UINT32_MAX || t->height == NODE_HEIGHT_MAX)
		return PL_NOMEM;
	nod_init(t->ops, &t->cfg, t->page[root], false, (pl_slice){0}, (pl_slice){0});
	int err = nod_insert(t->ops, &t->cfg, t->page[root], 0, pl_slice_of(sep.p, 0), id_value(t->root, id), 0);
	if (!err)
		err = nod_insert(t->ops, &t->cfg, t->page[root], 1, sep, id_value(right, id), 0);
	t->root = root;
	t->height++;
	return err;
}

/* Split the page at `at`, put the entry on its side, and hand out what its parent has to take: sep, right. */
static int split_insert(struct node_tree *t, struct place at, pl_slice key, pl_slice value, uint8_t *sep,
	size_t *sep_bytes, uint32_t *right)
{
	*right = new_page(t, t->leaf[at.page]);
	if (*right == UINT32_MAX)
		return PL_NOMEM;
	uint8_t *low = t->page[at.page], *high = t->page[*right];
	nod_split(t->ops, &t->cfg, low, high, at.slot, key, sep, sep_bytes);
	uint8_t *side = pl_slice_cmp(key, pl_slice_of(sep, *sep_bytes)) < 0 ? low : high;
	bool exact;
	uint32_t slot = nod_lower_bound(t->ops, &t->cfg, side, key, &exact);
	return nod_insert(t->ops, &t->cfg, side, slot, key, value, 0);
}

int node_tree_insert(struct node_tree *t, pl_slice key, pl_slice value, struct pl_fault *f)
{
	struct place path[NODE_HEIGHT_MAX];
	uint8_t sep[2][KEY_BYTES_MAX], id[8];
	uint32_t page = t->root, right = 0;
	bool exact;
	if (key.n > t->cfg.max_key_bytes || key.n + value.n > (t->cfg.page_bytes - PL_PAGE_HEADER) / 4)
		return pl_fault_set(f, PL_INVALID,
			"page_bytes: a key of %zu bytes and a value of %zu are too long for pages of %u bytes (an "
			"eighth, "
			"together a quarter)",
			key.n, value.n, t->cfg.page_bytes);
	for (uint32_t level = 0; level + 1 < t->height; level++) {
		struct nod_entry e;
		path[level] = (struct place){page, nod_child(t->ops, &t->cfg, t->page[page], key)};
		nod_entry(t->ops, &t->cfg, t->page[page], path[level].slot, &e);
		page = node_tree_child(t, e.value);
	}
	uint32_t level = t->height - 1;
	path[level] = (struct place){page, nod_lower_bound(t->ops, &t->cfg, t->page[page], key, &exact)};
	if (exact)
		return pl_fault_set(f, PL_INVALID, "keys: two numbers give the same key");
	for (size_t turn = 0;; turn++) {
		size_t sep_bytes;
		int err = nod_insert(t->ops, &t->cfg, t->page[path[level].page], path[level].slot, key, value, 0);
		if (err != PL_NOFIT)
			return err;
		err = split_insert(t, path[level], key, value, sep[turn % 2], &sep_bytes, &right);
		if (err)
			return pl_fault_set(f, err, "a split leaves no room: %s", pl_err_text(err));
		key = pl_slice_of(sep[turn % 2], sep_bytes);
		value = id_value(right, id);
		if (level == 0) {
			err = grow(t, key, right);
			return err ? pl_fault_set(f, err, "no memory for a root") : PL_OK;
		}
		level--;
		path[level].slot++;
	}
}
