#!/bin/bash
# scripts_test.sh - the front door and the checks do what they say: each rule of style.sh turns red when it is broken,
# symbols.sh finds a dependence, lab installs what is missing and says one clear sentence where it cannot.
# Nothing is installed and nothing outside a scratch directory is written: the system's programs are played by stand-ins.
set -uo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
root=$(dirname "$here")
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failed=0 passed=0

# expect NAME STATUS PATTERN COMMAND...: its exit status, and a pattern that its output must hold.
expect()
{
	local name=$1 status=$2 pattern=$3 output got
	shift 3
	output=$("$@" </dev/null 2>&1)
	got=$?
	if [ "$got" -eq "$status" ] && grep -qE -- "$pattern" <<<"$output"; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	printf 'FAILED %s: status %s (wanted %s), wanted /%s/ in:\n%s\n' "$name" "$got" "$status" "$pattern" "$output"
}

# --- style.sh on a small tree of its own, once whole and once for each way to break it ---
small_tree()
{
	rm -rf "$scratch/tree"
	mkdir -p "$scratch/tree/.ci" "$scratch/tree/engine" "$scratch/tree/variants/space" "$scratch/tree/plots"
	cp "$here/style.sh" "$here/run" "$scratch/tree/.ci/"
	cp "$root/.clang-format" "$root/lab" "$scratch/tree/"
	printf '/* good.c - rand() in a comment and in a string is no use of it. */\nconst char *good = "rand()";\n' \
		>"$scratch/tree/engine/good.c"
	printf '/* raw.c - a variant. */\n#include "engine/good.h"\n' >"$scratch/tree/variants/space/raw.c"
	printf 'x = 1\n' >"$scratch/tree/plots/x.py"
}

# breaks NAME PATTERN FILE TEXT: style.sh must be red once FILE holds TEXT.
breaks()
{
	small_tree
	printf '%b' "$4" >"$scratch/tree/$3"
	expect "style.$1" 1 "$2" bash "$scratch/tree/.ci/style.sh"
}

if command -v clang-format-14 clang-format >/dev/null; then
	small_tree
	expect style.whole 0 'all rules hold' bash "$scratch/tree/.ci/style.sh"
	breaks format 'clang-format would change' engine/bad.c '/* x */\nint  x;\n'
	breaks banned 'banned function' engine/bad.c '/* x */\nint x(char *p)\n{\n\t*p = (char)rand();\n\treturn *p;\n}\n'
	breaks include 'engine/ must not include' engine/bad.c '/* x */\n#include "variants/registry.h"\n'
	breaks variant 'a variant must not include' variants/space/bad.c '/* x */\n#include "harness/spec.h"\n'
	breaks length 'more than 900 lines' engine/bad.c "/* x */\n$(printf 'int x;\\n%.0s' {1..900})"
	breaks comment 'does not open with a comment' engine/bad.c 'int x;\n'
	breaks blanks 'blanks at the end' plots/bad.py 'x = 1 \n'
	breaks later 'left for later' plots/bad.py '# TO''DO\n'
	breaks python 'python syntax' plots/bad.py 'def f(:\n'
	breaks shell 'shell syntax' .ci/bad.sh 'if true; then\n'
else
	echo "skipped: style.sh (clang-format is not installed)"
fi

# --- symbols.sh on objects made here ---
objects=$scratch/build/CMakeFiles/pagelab_core.dir
mkdir -p "$objects/engine" "$objects/variants"
compile() { printf '%s\n' "$2" | gcc -x c -c - -o "$objects/$1"; }
compile engine/a.o 'int base(void) { return 1; } extern int shared(void); int a(void) { return shared(); }'
compile engine/b.o 'int shared(void) { return 1; }'
compile variants/raw.o 'extern int base(void); int raw(void) { return base(); }'
expect symbols.whole 0 'use no symbol of 1 objects' bash "$here/symbols.sh" "$scratch/build"
compile engine/c.o 'extern int raw(void); int c(void) { return raw(); }'
expect symbols.dependence 1 'raw: engine/c.o uses it, variants/raw.o defines it' bash "$here/symbols.sh" "$scratch/build"
expect symbols.nothing 1 'no objects of engine' bash "$here/symbols.sh" "$scratch"

# --- lab, with stand-ins for dpkg-query, id, sudo and apt ---
copy="$scratch/a copy"
stand_ins=$scratch/bin
mkdir -p "$copy" "$stand_ins"
cp "$root/lab" "$copy/"
stand_in() { printf '#!/bin/sh\n%s\n' "$2" >"$stand_ins/$1" && chmod +x "$stand_ins/$1"; }
lab() { env -i HOME="$scratch" PATH="$stand_ins:/usr/bin:/bin" "$copy/lab" "$@"; }
calls=$scratch/calls

stand_in dpkg-query 'for last; do :; done; [ "$last" != cmake ] && echo installed'
stand_in id 'echo 1000'
stand_in sudo 'exit 1'
expect lab.neither_root_nor_sudo 1 'run as root: apt-get install -y --no-install-recommends cmake$' lab deps build
stand_in id 'echo 0'
stand_in apt-cache 'exit 0'
stand_in apt-get "echo \"\$*\" >>'$calls'"
expect lab.installs_missing 0 'installing 1 missing Debian packages \(for: build draw\): cmake' lab deps build draw
expect lab.no_needless_update 0 '^1$' grep -c . "$calls"
expect lab.installs_only_missing 0 'install --no-install-recommends cmake$' cat "$calls"
rm "$calls"
stand_in apt-cache 'exit 1'
expect lab.updates_unknown 0 'cmake' lab deps build
expect lab.updates_once 0 '^1$' grep -c ' update$' "$calls"
stand_in apt-get 'echo E: the mirror burns; exit 100'
expect lab.shows_apt_errors 1 'the mirror burns' lab deps build
stand_in dpkg-query 'echo installed'
expect lab.asks_for_nothing 0 '^$' lab deps build draw ci
expect lab.wrong_set 2 'no such set' lab deps everything
expect lab.wrong_usage 2 'takes no arguments' lab demo now
expect lab.help 0 'lab demo' lab help

stand_in cmake 'echo CMake Error: the disk is round; exit 1'
expect lab.shows_build_errors 1 'the disk is round' lab build
expect lab.names_the_preset 1 'preset release failed' lab run x.ini

echo "scripts: $passed passed, $failed failed"
[ $failed -eq 0 ]
