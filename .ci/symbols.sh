#!/bin/bash
# symbols.sh BUILD - proves from the object files that the engine needs no variant: no symbol that an object of engine/
# leaves undefined is defined in objects of variants/ and nowhere else. A look at #include lines would miss a declaration
# written by hand.
set -uo pipefail
export PATH="${PATH:+$PATH:}/usr/bin:/bin" LC_ALL=C
objects=${1:?usage: symbols.sh BUILD}/CMakeFiles/pagelab_core.dir

# symbols KIND DIRECTORY: "symbol file" lines of the defined (KIND D) or undefined (U) symbols of its objects.
symbols()
{
	local flag=--defined-only
	[ "$1" = U ] && flag=--undefined-only
	find "$objects/$2" -name '*.o' -print0 2>/dev/null |
		xargs -0 -r nm -A -g -P "$flag" | sed -E 's/^([^:]+): ([^ ]+) .*/\2 \1/' | sort -u
}

needed=$(symbols U engine)
[ -n "$needed" ] || { echo "symbols: no objects of engine/ in $objects"; exit 1; }
offered=$(symbols D variants)
[ -n "$offered" ] || { echo "symbols: no objects of variants/ in $objects"; exit 1; }
own=$(symbols D engine | cut -d' ' -f1 | sort -u)
bad=$(join <(printf '%s\n' "$needed") <(printf '%s\n' "$offered") | while read -r symbol user owner; do
	grep -qxF "$symbol" <<<"$own" || printf '    %s: %s uses it, %s defines it\n' "$symbol" "${user##*.dir/}" "${owner##*.dir/}"
done)
if [ -n "$bad" ]; then
	printf 'the engine depends on variants:\n%s\n' "$bad"
	exit 1
fi
echo "symbols: $(cut -d' ' -f2 <<<"$needed" | sort -u | wc -l) objects of engine/ use no symbol of $(cut -d' ' -f2 <<<"$offered" | sort -u | wc -l) objects of variants/"
