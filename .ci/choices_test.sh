#!/bin/bash
# choices_test.sh - a new choice is one file and one line, on every axis: here somebody adds one.
#
# For each axis a copy of the tree gets one more file in variants/<axis>/ and one more name in one line of its registry.c, and
# nothing else: the two trees are compared. The programs are linked anew from the object files of the build that runs this
# test, with these two in the place of its registry. Then `pagelab list` must name the choice, the conformance test of the axis
# must hold (of layouts, where it takes long, the test of damaged pages), and the model test must run a product that has it.
#
# The new cleaning policy is that of README.md. Those of the other axes are the files of old ones under a new name, options
# included: what is tested is not what they do, but that nobody has to be told of them. A new layout and placement call the old,
# whose options the tests set to sizes that fit them.
set -uo pipefail
build=${PAGELAB_BUILD:-$PWD}
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P) || exit 1
objects=CMakeFiles/pagelab_core.dir
if ! command -v ninja >/dev/null || [ ! -f "$build/build.ninja" ] || [ ! -f "$build/$objects/variants/registry.c.o" ]; then
	echo "skipped: $build is no directory in which ninja has built this tree"
	exit 77
fi
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

#        axis       ops     prefix old      table        conformance   a product, without its device unless that is new
axes="structure  str_ops str    btree    STRUCTURES   contract_test twin slotted raw table zone greedy redo - sim_ssd
node       nod_ops nod    ordinal  NODES        corrupt_test  btree twin raw table zone greedy redo - sim_ssd
space      spc_ops spc    lz4      SPACES       space_test    btree slotted twin table zone greedy redo - sim_ssd
addressing adr_ops adr    table    ADDRESSINGS  contract_test btree slotted raw twin zone greedy redo - sim_ssd
placement  plc_ops plc    zone     PLACEMENTS   contract_test btree slotted raw table twin greedy redo - sim_zns
cleaning   cln_ops cln    -        CLEANINGS    contract_test btree slotted raw table zone oldest redo - sim_zns
durability dur_ops dur    redo     DURABILITIES contract_test btree slotted raw fixed inplace - twin dwb sim_ssd
guard      grd_ops grd    dwb      GUARDS       contract_test btree slotted raw fixed inplace - redo twin sim_ssd
device     dev_ops dev    null     DEVICES      device_test   btree slotted raw table zone greedy redo - twin"

# The new file: an old choice under the name `twin`.
twin()
{
	local axis=$1 ops=$2 prefix=$3 old=$4
	if [ "$axis" != placement ] && [ "$axis" != node ]; then
		sed -E "s/\b${prefix}_$old\b/${prefix}_twin/g; /^#include/! s/(\"[^\"]*)\b$old\b/\1twin/g" "$root/variants/$axis/$old.c"
		return
	fi
	cat <<END
/* twin.c - $axis: $old under another name. */
#include "engine/store/store.h"

extern const struct $ops ${prefix}_$old;
extern struct $ops ${prefix}_twin;
struct $ops ${prefix}_twin;

__attribute__((constructor)) static void name_it(void)
{
	${prefix}_twin = ${prefix}_$old;
	${prefix}_twin.name = "twin";
	${prefix}_twin.opts = NULL; /* those of the old one are declared under its name */
}
END
}

# How the build compiles registry.c, for another source and output.
compile()
{
	local source=$1 output=$2 tree=$3 command
	command=$(ninja -C "$build" -t commands "$objects/variants/registry.c.o" | tail -1) || return 1
	command=$(sed -E "s| -M[DTF]+( [^ ]*registry[^ ]*)?||g; s|-o [^ ]+ -c [^ ]+|-o $output -c $source|; s|-I$root |-I$tree |" \
		<<<"$command ")
	(cd "$build" && eval "$command")
}

# How the build links a program, with the new registry and the new file.
link()
{
	local program=$1 directory=$2 command
	command=$(ninja -C "$build" -t commands "$program" | tail -1) || return 1
	command=$(sed -E "s|$objects/variants/registry.c.o|$directory/registry.o $directory/new.o|; s|-o $program |-o $directory/$program |" \
		<<<"$command ")
	(cd "$build" && eval "$command")
}

# try AXIS OPS PREFIX OLD TABLE CONFORMANCE PRODUCT...
try()
{
	local axis=$1 ops=$2 prefix=$3 old=$4 table=$5 conformance=$6 name=twin tree=$scratch/$1/tree dir=$scratch/$1
	shift 6
	mkdir -p "$tree" && cp -r "$root"/{engine,variants,workloads,harness,results} "$tree" || return 1
	if [ "$old" = - ]; then
		name=oldest
		cp "$root/harness/examples/oldest.c" "$tree/variants/$axis/"
	else
		twin "$axis" "$ops" "$prefix" "$old" >"$tree/variants/$axis/twin.c"
	fi
	sed -i -E "s|^(#define $table\\(X\\).*)|\\1 X(${prefix}_$name)|" "$tree/variants/registry.c"

	# One file more, one line else: that is all.
	for part in engine variants workloads harness results; do
		diff -rq "$root/$part" "$tree/$part"
	done | sed "s|$root/||g; s|$tree/||g; s|$tree||g" | sort >"$dir/differs"
	printf '%s\n' "Files variants/registry.c and variants/registry.c differ" "Only in variants/$axis: $name.c" | sort >"$dir/wanted"
	diff -u "$dir/wanted" "$dir/differs" || { echo "more than one file and the registry had to change"; return 1; }
	[ "$(diff "$root/variants/registry.c" "$tree/variants/registry.c" | grep -c '^>')" -eq 1 ] || { echo "more than one line"; return 1; }

	compile "$tree/variants/$axis/$name.c" "$dir/new.o" "$tree" && compile "$tree/variants/registry.c" "$dir/registry.o" "$tree" &&
		link pagelab "$dir" && link "$conformance" "$dir" && link model_test "$dir" || { echo "does not build"; return 1; }
	"$dir/pagelab" list >"$dir/list" || return 1
	grep -qE "^ +$name( |$)" "$dir/list" || { cat "$dir/list"; echo "pagelab list does not name $name"; return 1; }
	(cd "$root" && PAGELAB_SAMPLE=0 PAGELAB_PRODUCT="$*" "$dir/$conformance" >"$dir/log" 2>&1) || { tail -20 "$dir/log"; echo "$conformance fails"; return 1; }
	(cd "$root" && PAGELAB_SAMPLE=0 PAGELAB_MODEL_OPS=400 PAGELAB_PRODUCT="$*" "$dir/model_test" >"$dir/log" 2>&1) ||
		{ tail -20 "$dir/log"; echo "model_test fails"; return 1; }
	grep -q "^1 of .* products, 400 operations each" "$dir/log" || { tail -20 "$dir/log"; echo "model_test has no product '$*'"; return 1; }
}

failed=0 running=0
while read -r line; do
	axis=${line%% *}
	# shellcheck disable=SC2086  # words of a table
	{ try $line >"$scratch/$axis.log" 2>&1; echo $? >"$scratch/$axis.status"; } &
	running=$((running + 1))
	[ $running -lt 2 ] || { wait -n; running=$((running - 1)); }
done <<<"$axes"
wait
tried=0
while read -r axis _; do
	tried=$((tried + 1))
	[ "$(cat "$scratch/$axis.status")" = 0 ] && continue
	failed=$((failed + 1))
	echo "---- a new choice of $axis:"
	cat "$scratch/$axis.log"
done <<<"$axes"
# An axis that this test does not know would not be tried.
axes_of_registry=$(grep -cE '^AXIS\(' "$root/variants/registry.c")
[ "$tried" -eq "$axes_of_registry" ] || { echo "tried $tried axes, but the registry has $axes_of_registry"; failed=$((failed + 1)); }
[ $failed -eq 0 ] && echo "choices: one file and one line are enough on all $tried axes"
[ $failed -eq 0 ]
