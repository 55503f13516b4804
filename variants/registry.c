/* registry.c - one constant table per axis. Adding a policy is one file and one line here. */
#include "variants/registry.h"

#include "engine/store/store.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/* clang-format off */
#define STRUCTURES(X) X(str_btree)
#define NODES(X)      X(nod_slotted) X(nod_ordinal) X(nod_b2)
#define SPACES(X)     X(spc_raw) X(spc_lz4) X(spc_hole) X(spc_hole_lz4) X(spc_zstd)
#define ADDRESSINGS(X) X(adr_fixed) X(adr_table) X(adr_cow)
#define PLACEMENTS(X) X(plc_inplace) X(plc_shadow) X(plc_zone)
#define CLEANINGS(X)  X(cln_greedy) X(cln_costbenefit) X(cln_deathtime) X(cln_dchoices)
#define DURABILITIES(X) X(dur_redo) X(dur_none)
#define GUARDS(X)     X(grd_none) X(grd_dwb) X(grd_pingpong)
#define DEVICES(X)    X(dev_sim_ssd) X(dev_sim_zns) X(dev_sim_opfs) X(dev_null) X(dev_file)
/* clang-format on */

#define AXIS(type, name, LIST)                                                                                         \
	LIST(DECLARE_##type)                                                                                           \
	static const struct type *const name[] = {LIST(ENTRY) NULL};
#define ENTRY(v) &v,
#define DECLARE_str_ops(v) extern const struct str_ops v;
#define DECLARE_nod_ops(v) extern const struct nod_ops v;
#define DECLARE_spc_ops(v) extern const struct spc_ops v;
#define DECLARE_adr_ops(v) extern const struct adr_ops v;
#define DECLARE_plc_ops(v) extern const struct plc_ops v;
#define DECLARE_cln_ops(v) extern const struct cln_ops v;
#define DECLARE_dur_ops(v) extern const struct dur_ops v;
#define DECLARE_grd_ops(v) extern const struct grd_ops v;
#define DECLARE_dev_ops(v) extern const struct dev_ops v;

AXIS(str_ops, structures, STRUCTURES)
AXIS(nod_ops, nodes, NODES)
AXIS(spc_ops, spaces, SPACES)
AXIS(adr_ops, addressings, ADDRESSINGS)
AXIS(plc_ops, placements, PLACEMENTS)
AXIS(cln_ops, cleanings, CLEANINGS)
AXIS(dur_ops, durabilities, DURABILITIES)
AXIS(grd_ops, guards, GUARDS)
AXIS(dev_ops, devices, DEVICES)

const char *const reg_axis_name[REG_AXES] = {
	"structure", "node", "space", "addressing", "placement", "cleaning", "durability", "guard", "device"};

const char *const reg_axis_question[REG_AXES] = {
	"how keys become pages",
	"how a page is laid out inside",
	"how many blocks the image of a page needs",
	"how the map from page to place survives a crash",
	"where the image of a page goes",
	"which zone is cleaned next",
	"what an acknowledgement promises after a crash",
	"what protects pages overwritten in place",
	"what the pages are written to",
};

/* Every ops table begins like struct reg_choice; opts follows at once or behind `unavailable`. */
#define SAME(type)                                                                                                     \
	_Static_assert(offsetof(struct type, name) == offsetof(struct reg_choice, name) &&                             \
			       offsetof(struct type, opts) == offsetof(struct reg_choice, opts),                       \
		"an ops table begins with name, summary, unavailable, opts")
SAME(str_ops);
SAME(nod_ops);
SAME(spc_ops);
SAME(adr_ops);
SAME(plc_ops);
SAME(cln_ops);
SAME(dur_ops);
SAME(grd_ops);
SAME(dev_ops);

static const void *const *axis_table(enum reg_axis axis)
{
	static const void *const tables[REG_AXES] = {
		structures, nodes, spaces, addressings, placements, cleanings, durabilities, guards, devices};
	return tables[axis];
}

const struct reg_choice *reg_choice(enum reg_axis axis, size_t index)
{
	const void *const *t = axis_table(axis);
	for (size_t i = 0; i <= index; i++)
		if (!t[i])
			return NULL;
	return t[index];
}

/* The axes as options; names of the choices are filled in once. */
#define CHOICES_MAX 16
static const char *choice_names[REG_AXES][CHOICES_MAX];
static struct pl_opt axis_opts[REG_AXES + 1];

static void build_axis_opts(void)
{
	for (int a = 0; a < REG_AXES; a++) {
		size_t n = 0;
		for (const struct reg_choice *c; (c = reg_choice((enum reg_axis)a, n)) != NULL; n++) {
			assert(n + 1 < CHOICES_MAX);
			choice_names[a][n] = c->name;
		}
		axis_opts[a] = (struct pl_opt){.name = reg_axis_name[a],
			.type = PL_OPT_ENUM,
			.value = choice_names[a][0],
			.choices = choice_names[a],
			.help = reg_axis_question[a]};
	}
}

void reg_declare(struct pl_conf *c)
{
	build_axis_opts();
	pl_conf_declare(c, "", axis_opts);
	for (int a = 0; a < REG_AXES; a++)
		for (size_t i = 0; reg_choice((enum reg_axis)a, i); i++) {
			const struct reg_choice *v = reg_choice((enum reg_axis)a, i);
			pl_conf_declare(c, v->name, v->opts);
		}
}

static const void *pick(const struct pl_conf *c, enum reg_axis axis, const char *fallback)
{
	const char *name = pl_conf_is_set(c, reg_axis_name[axis]) ? pl_conf_str(c, reg_axis_name[axis]) : fallback;
	for (size_t i = 0; reg_choice(axis, i); i++)
		if (strcmp(reg_choice(axis, i)->name, name) == 0)
			return reg_choice(axis, i);
	assert(false); /* the option table knows the same names */
	return NULL;
}

int reg_choose(const struct pl_conf *c, struct kv_choice *out, struct pl_fault *f)
{
	out->structure = pick(c, REG_STRUCTURE, structures[0]->name);
	out->node = pick(c, REG_NODE, nodes[0]->name);
	out->space = pick(c, REG_SPACE, spaces[0]->name);
	out->device = pick(c, REG_DEVICE, devices[0]->name);
	out->placement = pick(c, REG_PLACEMENT, out->device->sequential ? "zone" : "inplace");
	out->addressing = pick(c, REG_ADDRESSING, out->placement->in_place ? "fixed" : "table");
	out->cleaning = pick(c, REG_CLEANING, cleanings[0]->name);
	out->durability = pick(c, REG_DURABILITY, durabilities[0]->name);
	out->guard = pick(c, REG_GUARD, out->placement->in_place && out->durability->logs ? "dwb" : "none");
	for (int a = 0; a < REG_AXES; a++) {
		const struct reg_choice *v = pick(c, (enum reg_axis)a,
			reg_chosen(out, (enum reg_axis)a)[0] == '-' ? reg_choice((enum reg_axis)a, 0)->name
								    : reg_chosen(out, (enum reg_axis)a));
		if (v->unavailable)
			return pl_fault_set(f, PL_UNSUPPORTED, "%s=%s is unavailable: %s", reg_axis_name[a], v->name,
				v->unavailable);
	}
	const char *refusal = kv_refusal(out);
	return refusal ? pl_fault_set(f, PL_INVALID, "%s", refusal) : PL_OK;
}

const char *reg_chosen(const struct kv_choice *c, enum reg_axis axis)
{
	bool in_place = c->placement->in_place;
	switch (axis) {
	case REG_STRUCTURE:
		return c->structure->name;
	case REG_NODE:
		return c->node->name;
	case REG_SPACE:
		return c->space->name;
	case REG_ADDRESSING:
		return c->addressing->name;
	case REG_PLACEMENT:
		return c->placement->name;
	case REG_CLEANING:
		return c->placement->appends ? c->cleaning->name : "-";
	case REG_DURABILITY:
		return c->durability->name;
	case REG_GUARD:
		return in_place ? c->guard->name : "-";
	case REG_DEVICE:
		return c->device->name;
	case REG_AXES:
		break;
	}
	return "-";
}

bool reg_product(size_t i, struct kv_choice *out)
{
	const void *picked[REG_AXES];
	for (int a = REG_AXES; a-- > 0;) { /* the last axis varies fastest */
		size_t n = 0;
		while (reg_choice((enum reg_axis)a, n))
			n++;
		picked[a] = reg_choice((enum reg_axis)a, i % n);
		i /= n;
	}
	*out = (struct kv_choice){picked[REG_STRUCTURE], picked[REG_NODE], picked[REG_SPACE], picked[REG_ADDRESSING],
		picked[REG_PLACEMENT], picked[REG_CLEANING], picked[REG_DURABILITY], picked[REG_GUARD],
		picked[REG_DEVICE]};
	return i == 0;
}
