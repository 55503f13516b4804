#!/bin/bash
# examples_test.sh - the example of README.md is the file harness/examples/oldest.c, compiles without a warning, and
# chooses as it says.
set -uo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' README.md >"$scratch/readme.c"
diff -u harness/examples/oldest.c "$scratch/readme.c" || { echo "README.md shows something else than the example"; exit 1; }

cat >"$scratch/try.c" <<'END'
#include "harness/examples/oldest.c"

#include <stdio.h>

/* What a set of zones must give, and why. */
static const struct { const char *why; struct cln_zone zones[3]; uint64_t victim; } cases[] = {
	{"the oldest", {{1, 8, 30, 0, CLN_NEVER, true}, {7, 8, 10, 0, CLN_NEVER, true}, {0, 8, 20, 0, CLN_NEVER, true}}, 1},
	{"not one without dead blocks", {{1, 8, 30, 0, CLN_NEVER, true}, {8, 8, 10, 0, CLN_NEVER, true}, {0, 8, 20, 0, CLN_NEVER, true}}, 2},
	{"not one that is no candidate", {{1, 8, 30, 0, CLN_NEVER, true}, {7, 8, 10, 0, CLN_NEVER, false}, {8, 8, 20, 0, CLN_NEVER, true}}, 0},
	{"the lowest index of a tie", {{8, 8, 10, 0, CLN_NEVER, true}, {1, 8, 20, 0, CLN_NEVER, true}, {0, 8, 20, 0, CLN_NEVER, true}}, 1},
	{"none worth cleaning", {{8, 8, 10, 0, CLN_NEVER, true}, {0, 8, 20, 0, CLN_NEVER, false}, {8, 8, 20, 0, CLN_NEVER, true}}, 3},
};

int main(void)
{
	int failed = 0;
	uint64_t derived[8] = {0};
	struct pl_rng rng;
	pl_rng_seed(&rng, 1, 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t got = cln_oldest.victim(derived, cases[i].zones, 3, 100, &rng);
		if (got == cases[i].victim)
			continue;
		printf("%s: zone %llu, wanted %llu\n", cases[i].why, (unsigned long long)got,
			(unsigned long long)cases[i].victim);
		failed = 1;
	}
	return failed;
}
END
gcc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -I. "$scratch/try.c" \
	-o "$scratch/try" && "$scratch/try" && echo "examples: README.md and harness/examples agree, and it works"
