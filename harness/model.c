#include "harness/model.h"

#include "engine/store/store.h"

#include "variants/registry.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static void *must(void *p)
{
	if (!p) {
		(void)fputs("model: out of memory\n", stderr);
		abort();
	}
	return p;
}

/* --- the map --------------------------------------------------------------------------------------------------- */

void model_init(struct model *m)
{
	memset(m, 0, sizeof *m);
}

void model_free(struct model *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->record[i].bytes);
	free(m->record);
	memset(m, 0, sizeof *m);
}

void model_copy(struct model *to, const struct model *from)
{
	*to = *from;
	to->room = from->count;
	to->record = must(calloc(to->room + 1, sizeof *to->record));
	for (size_t i = 0; i < from->count; i++) {
		const struct model_record *r = &from->record[i];
		to->record[i] = *r;
		to->record[i].bytes = must(malloc(r->key_bytes + r->value_bytes + 1u));
		memcpy(to->record[i].bytes, r->bytes, r->key_bytes + r->value_bytes);
	}
}

static uint64_t hash_bytes(pl_slice s, uint64_t seed)
{
	return s.n ? XXH64(s.p, s.n, seed) : pl_mix64(seed);
}

uint64_t model_record_hash(pl_slice key, pl_slice value)
{
	return hash_bytes(value, hash_bytes(key, key.n));
}

size_t model_lower_bound(const struct model *m, pl_slice key, bool *exact)
{
	size_t lo = 0, hi = m->count;
	*exact = false;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = pl_slice_cmp(model_key(&m->record[mid]), key);
		if (c == 0) {
			*exact = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool model_put(struct model *m, pl_slice key, pl_slice value)
{
	bool exact;
	size_t at = model_lower_bound(m, key, &exact);
	struct model_record r = {.key_bytes = (uint32_t)key.n, .value_bytes = (uint32_t)value.n};
	r.bytes = must(malloc(key.n + value.n + 1));
	if (key.n)
		memcpy(r.bytes, key.p, key.n);
	if (value.n)
		memcpy(r.bytes + key.n, value.p, value.n);
	r.hash = model_record_hash(key, value);
	if (exact) {
		m->hash -= m->record[at].hash;
		free(m->record[at].bytes);
	} else {
		if (m->count == m->room) {
			m->room = m->room ? m->room * 2 : 64;
			m->record = must(realloc(m->record, m->room * sizeof *m->record));
		}
		memmove(&m->record[at + 1], &m->record[at], (m->count - at) * sizeof *m->record);
		m->count++;
	}
	m->record[at] = r;
	m->hash += r.hash;
	return exact;
}

bool model_delete(struct model *m, pl_slice key)
{
	bool exact;
	size_t at = model_lower_bound(m, key, &exact);
	if (!exact)
		return false;
	m->hash -= m->record[at].hash;
	free(m->record[at].bytes);
	m->count--;
	memmove(&m->record[at], &m->record[at + 1], (m->count - at) * sizeof *m->record);
	return true;
}

/* --- acts ------------------------------------------------------------------------------------------------------ */

static uint32_t draw_length(const struct model_form *f, struct pl_rng *rng)
{
	uint64_t d = pl_rng_below(rng, 100);
	if (d < 4)
		return 0;
	if (d < 35)
		return (uint32_t)pl_rng_below(rng, 120);
	if (d < 93)
		return (uint32_t)(200 + pl_rng_below(rng, f->page_bytes / 4 - 200));
	return (uint32_t)pl_rng_below(rng, (uint64_t)f->value_max + 1);
}

struct model_act model_draw(const struct model_form *f, const struct model_mix *mix, struct pl_rng *rng)
{
	const struct {
		uint8_t share;
		enum kv_kind kind;
	} kinds[] = {{mix->put, KV_PUT}, {mix->update, KV_UPDATE}, {mix->rmw, KV_RMW}, {mix->erase, KV_DELETE},
		{mix->scan, KV_SCAN}, {mix->commit, KV_COMMIT}};
	struct model_act a = {.kind = KV_GET};
	uint64_t d = pl_rng_below(rng, 256);
	for (size_t i = 0; i < PL_COUNT(kinds); i++) {
		if (d < kinds[i].share) {
			a.kind = kinds[i].kind;
			break;
		}
		d -= kinds[i].share;
	}
	a.no_wait = pl_rng_below(rng, 256) < mix->no_wait;
	a.keynum = (uint32_t)pl_rng_below(rng, pl_rng_below(rng, 2) ? f->keys : f->keys / 8 + 1);
	a.value_bytes = a.kind == KV_UPDATE ? (uint32_t)pl_rng_below(rng, 100) : draw_length(f, rng);
	a.offset = pl_rng_below(rng, 400);
	a.limit = (uint32_t)pl_rng_below(rng, 40);
	a.dice = pl_rng_next(rng);
	return a;
}

size_t model_key_bytes(const struct model_form *f, uint32_t keynum, uint8_t *out)
{
	static const char *const prefix[] = {"", "https://www.", "https://www.example.org/archive/volume/", "\x7f\xff"};
	uint64_t h = pl_mix64(keynum + UINT64_C(0x100000000));
	if (f->set)
		return f->set->make(&f->set_form, keynum, out);
	if (f->int_keys) {
		put_be64(out, h % 3 ? (uint64_t)keynum * 7 : h);
		return 8;
	}
	char digits[16];
	size_t n = (size_t)snprintf(digits, sizeof digits, "%06" PRIu32, keynum), at = 0;
	const char *p = prefix[h % PL_COUNT(prefix)];
	at = strlen(p);
	memcpy(out, p, at);
	memcpy(out + at, digits, n);
	at += n;
	size_t room = f->page_bytes / 8 - at, tail = 0;
	if (h >> 8 & 1)
		tail = (h >> 16) % 24;
	if ((h >> 9 & 15) == 0)
		tail = (h >> 16) % (room + 1);
	if ((h >> 9 & 63) == 1)
		tail = room;
	memset(out + at, (int)(h >> 40 & 0xff), tail);
	return at + tail;
}

void model_fill(uint64_t dice, uint8_t *out, size_t n)
{
	uint64_t word = pl_mix64(dice), x = word;
	bool dull = word & 1;
	for (size_t i = 0; i < n; i += 8) {
		if (!dull)
			word = pl_splitmix64(&x);
		size_t k = n - i < 8 ? n - i : 8;
		memcpy(out + i, &word, k);
	}
}

size_t model_patch(uint64_t dice, pl_slice value, uint64_t *offset, uint8_t out[MODEL_PATCH_MAX])
{
	*offset = 0;
	if (!value.n)
		return 0;
	uint64_t h = hash_bytes(value, dice);
	*offset = h % value.n;
	uint64_t n = pl_min64(value.n - *offset, 1 + (h >> 32) % MODEL_PATCH_MAX);
	model_fill(h | 1u << 20, out, (size_t)n);
	return (size_t)n;
}

static int perform_patch(struct model *m, pl_slice key, uint64_t offset, pl_slice bytes)
{
	bool exact;
	size_t at = model_lower_bound(m, key, &exact);
	if (!exact)
		return PL_NOTFOUND;
	struct model_record *r = &m->record[at];
	if (offset > r->value_bytes || bytes.n > r->value_bytes - offset)
		return PL_RANGE;
	m->hash -= r->hash;
	if (bytes.n)
		memcpy(r->bytes + r->key_bytes + offset, bytes.p, bytes.n);
	r->hash = model_record_hash(model_key(r), model_value(r));
	m->hash += r->hash;
	return PL_OK;
}

int model_perform(struct model *m, const struct model_form *f, const struct model_act *a, bool *replaced)
{
	uint8_t *key = must(malloc(f->page_bytes)), *value = must(malloc(a->value_bytes + MODEL_PATCH_MAX));
	pl_slice k = pl_slice_of(key, model_key_bytes(f, a->keynum, key));
	int status = PL_OK;
	bool exact = false;
	size_t at = model_lower_bound(m, k, &exact);
	*replaced = false;
	if (a->kind == KV_PUT || a->kind == KV_UPDATE)
		model_fill(a->dice, value, a->value_bytes);
	if (a->kind == KV_PUT) {
		*replaced = model_put(m, k, pl_slice_of(value, a->value_bytes));
	} else if (a->kind == KV_UPDATE) {
		status = perform_patch(m, k, a->offset, pl_slice_of(value, a->value_bytes));
	} else if (a->kind == KV_DELETE) {
		status = model_delete(m, k) ? PL_OK : PL_NOTFOUND;
	} else if (a->kind == KV_RMW) {
		uint64_t offset = 0;
		size_t n = exact ? model_patch(a->dice, model_value(&m->record[at]), &offset, value) : 0;
		status = exact ? perform_patch(m, k, offset, pl_slice_of(value, n)) : PL_NOTFOUND;
	} else if (a->kind == KV_GET) {
		status = exact ? PL_OK : PL_NOTFOUND;
	}
	free(key);
	free(value);
	return status;
}

const char *model_act_text(const struct model_form *f, const struct model_act *a, char out[160])
{
	static const char *const kind[KV_KINDS] = {"get", "put", "update", "rmw", "delete", "scan", "commit"};
	uint8_t *key = must(malloc(f->page_bytes));
	size_t n = model_key_bytes(f, a->keynum, key);
	free(key);
	(void)snprintf(out, 160,
		"%s key %" PRIu32 " (%zu bytes), %" PRIu32 " value bytes, offset %" PRIu64 ", limit %" PRIu32 "%s",
		kind[a->kind], a->keynum, n, a->value_bytes, a->offset, a->limit, a->no_wait ? ", no wait" : "");
	return out;
}

/* --- an engine performing acts --------------------------------------------------------------------------------- */

uint64_t model_key_hash(pl_slice key)
{
	return hash_bytes(key, 1);
}

void model_client_init(struct model_client *c, const struct model_form *f)
{
	memset(c, 0, sizeof *c);
	c->form = *f;
	c->key = must(malloc(f->page_bytes));
	c->last_key = must(malloc(f->page_bytes));
	c->value = must(malloc(f->value_max + 1024u));
	c->buf = must(malloc(f->value_max + 1024u));
}

void model_client_free(struct model_client *c)
{
	free(c->key);
	free(c->last_key);
	free(c->value);
	free(c->buf);
	free(c->emitted);
	memset(c, 0, sizeof *c);
}

static void on_got(void *arg, pl_slice value)
{
	struct model_client *c = arg;
	c->found = model_record_hash(c->op.key, value);
}

static void on_modify(void *arg, pl_slice value, struct kv_patch *patch)
{
	struct model_client *c = arg;
	size_t n = model_patch(c->act.dice, value, &patch->offset, c->patch);
	patch->bytes = pl_slice_of(c->patch, n);
}

static bool on_emit(void *arg, pl_slice key, pl_slice value)
{
	struct model_client *c = arg;
	if (c->nemitted && pl_slice_cmp(pl_slice_of(c->last_key, c->last_key_bytes), key) >= 0)
		c->disorder = true;
	if (pl_slice_cmp(key, c->op.key) < 0 || key.n > c->form.page_bytes / 8)
		c->disorder = true;
	else
		memcpy(c->last_key, key.p, key.n);
	c->last_key_bytes = key.n;
	if (c->nemitted == c->emitted_room) {
		c->emitted_room = c->emitted_room ? c->emitted_room * 2 : 64;
		c->emitted = must(realloc(c->emitted, c->emitted_room * sizeof *c->emitted));
	}
	c->emitted[c->nemitted++] = (struct model_emitted){model_key_hash(key), model_record_hash(key, value)};
	return true;
}

void model_client_set(struct model_client *c, const struct model_act *a)
{
	c->act = *a;
	c->found = 0;
	c->nemitted = 0;
	c->disorder = false;
	memset(&c->op, 0, sizeof c->op);
	c->op.kind = a->kind;
	c->op.no_wait = a->no_wait;
	c->op.arg = c;
	c->op.buf = c->buf;
	c->op.buf_bytes = c->form.value_max + 1024u;
	if (a->kind == KV_COMMIT)
		return;
	c->op.key = pl_slice_of(c->key, model_key_bytes(&c->form, a->keynum, c->key));
	c->op.got = on_got;
	c->op.modify = on_modify;
	c->op.emit = on_emit;
	c->op.limit = a->limit;
	c->op.offset = a->offset;
	if (a->kind == KV_PUT || a->kind == KV_UPDATE) {
		model_fill(a->dice, c->value, a->value_bytes);
		c->op.value = pl_slice_of(c->value, a->value_bytes);
	}
}

struct kv_op *model_wait(struct kv *kv, struct pl_ctx *x, bool idle)
{
	for (;;) {
		struct kv_op *op = kv_run(kv, x);
		if (op)
			return op;
		uint64_t next_ns = kv_next_ns(kv, x->now_ns, idle);
		if (next_ns == PL_NS_NEVER)
			return NULL;
		if (x->simulated)
			x->now_ns = pl_max64(x->now_ns, next_ns);
		else
			x->now_ns = pl_clock_ns();
	}
}

int model_do(struct model_client *c, struct kv *kv, struct pl_ctx *x, const struct model_act *a)
{
	model_client_set(c, a);
	int status = kv_start(kv, x, &c->op);
	while (status == PL_AGAIN) {
		struct kv_op *op = model_wait(kv, x, true);
		if (!op)
			return PL_FAILED;
		assert(op == &c->op);
		status = op->status;
	}
	return status;
}

struct content_scan {
	struct model_content *out;
	uint8_t *last;
	size_t last_bytes;
	size_t room;
	const struct model *against; /* else NULL */
	char *text;
	size_t text_bytes;
};

static void describe(struct content_scan *s, const char *what, pl_slice key)
{
	char shown[61] = "";
	size_t n = 0;
	for (size_t i = 0; i < key.n && n + 3 < sizeof shown; i++)
		n += (size_t)snprintf(
			shown + n, sizeof shown - n, key.p[i] > 32 && key.p[i] < 127 ? "%c" : "%02x", key.p[i]);
	if (!s->text[0])
		(void)snprintf(s->text, s->text_bytes, "%s key %s (%zu bytes)", what, shown, key.n);
}

static bool on_content(void *arg, pl_slice key, pl_slice value)
{
	struct content_scan *s = arg;
	if ((s->out->count && pl_slice_cmp(pl_slice_of(s->last, s->last_bytes), key) >= 0) || key.n > s->room)
		s->out->disorder = true;
	s->last_bytes = key.n < s->room ? key.n : s->room;
	memcpy(s->last, key.p, s->last_bytes);
	uint64_t hash = model_record_hash(key, value);
	if (s->against && !s->text[0]) {
		const struct model *m = s->against;
		size_t i = s->out->count;
		int c = i < m->count ? pl_slice_cmp(model_key(&m->record[i]), key) : 1;
		if (c < 0)
			describe(s, "missing", model_key(&m->record[i]));
		else if (c > 0)
			describe(s, "unexpected", key);
		else if (m->record[i].hash != hash)
			describe(s, "another value of", key);
	}
	s->out->hash += hash;
	s->out->count++;
	return true;
}

static int scan_all(struct kv *kv, struct pl_ctx *x, const struct model_form *f, struct content_scan *s)
{
	size_t room = f->value_max + 1024u;
	uint8_t *buf = must(malloc(room));
	s->room = f->page_bytes / 8;
	s->last = must(malloc(s->room + 1));
	struct kv_op op = {.kind = KV_SCAN, .buf = buf, .buf_bytes = room, .emit = on_content, .arg = s};
	op.key = pl_slice_of("", 0);
	uint8_t zero[8] = {0};
	if (f->int_keys)
		op.key = pl_slice_of(zero, 8);
	int err = kv_do(kv, x, &op);
	free(buf);
	free(s->last);
	return err;
}

int model_content(struct kv *kv, struct pl_ctx *x, const struct model_form *f, struct model_content *out)
{
	*out = (struct model_content){0};
	struct content_scan s = {.out = out};
	return scan_all(kv, x, f, &s);
}

int model_difference(struct kv *kv, struct pl_ctx *x, const struct model_form *f, const struct model *m, char *text,
	size_t text_bytes)
{
	struct model_content content = {0};
	struct content_scan s = {.out = &content, .against = m, .text = text, .text_bytes = text_bytes};
	text[0] = 0;
	int err = scan_all(kv, x, f, &s);
	if (!text[0] && content.count < m->count)
		describe(&s, "missing", model_key(&m->record[content.count]));
	if (!text[0] && content.disorder)
		(void)snprintf(text, text_bytes, "the scan is out of order");
	return err;
}

/* --- products -------------------------------------------------------------------------------------------------- */

static bool repeats(const struct kv_choice *c)
{
	bool idle_cleaning = strcmp(reg_chosen(c, REG_CLEANING), "-") == 0 && c->cleaning &&
			     (const void *)c->cleaning != (const void *)reg_choice(REG_CLEANING, 0);
	bool idle_guard = strcmp(reg_chosen(c, REG_GUARD), "-") == 0 && c->guard &&
			  (const void *)c->guard != (const void *)reg_choice(REG_GUARD, 0);
	return idle_cleaning || idle_guard;
}

static bool available(const struct kv_choice *c)
{
	const struct reg_choice *axis[REG_AXES] = {(const void *)c->structure, (const void *)c->node,
		(const void *)c->space, (const void *)c->addressing, (const void *)c->placement,
		(const void *)c->cleaning, (const void *)c->durability, (const void *)c->guard,
		(const void *)c->device};
	for (size_t i = 0; i < PL_COUNT(axis); i++)
		if (axis[i] && i != REG_DEVICE && axis[i]->unavailable)
			return false;
	return !c->device->unavailable;
}

bool model_product(size_t *i, struct kv_choice *out)
{
	for (; reg_product(*i, out); (*i)++)
		if (!kv_refusal(out) && !repeats(out) && available(out) &&
			(!model_packed_page_bytes() || model_can_pack(out)))
			return true;
	return false;
}

const char *model_product_name(const struct kv_choice *c, char out[200])
{
	out[0] = 0;
	for (int axis = 0; axis < REG_AXES; axis++) {
		size_t n = strlen(out);
		(void)snprintf(out + n, 200 - n, "%s%s", n ? " " : "", reg_chosen(c, (enum reg_axis)axis));
	}
	return out;
}

static void set(struct pl_conf *conf, const char *key, const char *value)
{
	struct pl_fault f = {0};
	if (pl_conf_set(conf, key, value, &f)) {
		(void)fprintf(stderr, "model: %s\n", f.text);
		abort();
	}
}

uint32_t model_packed_page_bytes(void)
{
	return (uint32_t)model_env("PACKED", 0);
}

bool model_can_pack(const struct kv_choice *c)
{
	return c->placement->packs && c->addressing->map_pages && c->space->codec != SPC_CODEC_RAW;
}

static void pack(struct model_lab *l, const struct kv_choice *c, uint32_t page_bytes)
{
	char key[64], bytes[16];
	(void)snprintf(bytes, sizeof bytes, "%" PRIu32, page_bytes);
	set(&l->conf, "page_bytes", bytes);
	l->form.page_bytes = page_bytes;
	if (!c || !model_can_pack(c))
		return;
	(void)snprintf(key, sizeof key, "%s.pack", c->placement->name);
	set(&l->conf, key, "1");
}

void model_lab_init(struct model_lab *l, const struct kv_choice *c, bool int_keys)
{
	memset(l, 0, sizeof *l);
	pl_conf_init(&l->conf);
	reg_declare(&l->conf);
	pl_conf_declare(&l->conf, "", kv_opts);
	l->block_bytes = 4096;
	l->form = (struct model_form){.page_bytes = 8192, .int_keys = int_keys, .keys = 400, .value_max = 20000};
	l->capacity_bytes = 6u << 20;
	static const struct {
		const char *key, *value;
	} small[] = {
		{"page_bytes", "8192"},
		{"max_value_bytes", "20480"},
		{"pool_bytes", "524288"},
		{"log_bytes", "655360"},
		{"zone.zone_bytes", "131072"},
		{"zone.write_bytes", "32768"},
		{"sim_zns.zone_bytes", "131072"},
		{"dwb.write_bytes", "32768"},
	};
	for (size_t i = 0; i < PL_COUNT(small); i++)
		set(&l->conf, small[i].key, small[i].value);
	set(&l->conf, "int_keys", int_keys ? "1" : "0");
	if (model_packed_page_bytes())
		pack(l, c, model_packed_page_bytes());
}

void model_lab_set(struct model_lab *l, const char *key, const char *value)
{
	set(&l->conf, key, value);
}

void model_lab_free(struct model_lab *l)
{
	pl_conf_free(&l->conf);
}

int model_lab_device(const struct model_lab *l, const struct kv_choice *c, uint64_t seed, const char *path,
	struct dev **out, struct pl_fault *f)
{
	struct dev_args a = {.conf = &l->conf,
		.seed = seed,
		.capacity_bytes = l->capacity_bytes,
		.block_bytes = l->block_bytes,
		.path = path,
		.create = true};
	return dev_open(c->device, &a, out, f);
}

uint64_t model_env(const char *name, uint64_t otherwise)
{
	char full[80];
	(void)snprintf(full, sizeof full, "PAGELAB_%s", name);
	const char *v = getenv(full);
	return v && *v ? strtoull(v, NULL, 0) : otherwise;
}
