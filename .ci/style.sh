#!/bin/bash
# style.sh - rules of the tree that a program can check. Prints every violation; exits 1 if there is any.
set -uo pipefail
export PATH="${PATH:+$PATH:}/usr/bin:/bin" LC_ALL=C.UTF-8
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." || exit 1
most_lines=900
violations=0

# violation RULE: read what breaks the rule from stdin; nothing there is good.
violation()
{
	local found
	found=$(cat)
	[ -z "$found" ] && return 0
	printf '%s:\n' "$1"
	while IFS= read -r line; do printf '    %s\n' "$line"; done <<<"$found"
	violations=$((violations + 1))
}

# The files of the tree, as git knows them, or as they lie there where there is no git.
listed()
{
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files --cached --others --exclude-standard -- "$@" | while IFS= read -r file; do
			[ -f "$file" ] && printf '%s\n' "$file"
		done
	else
		local pattern
		for pattern in "$@"; do
			find . \( -name build -o -name .git -o -path ./results/runs \) -prune -o -type f -name "${pattern##*/}" -print |
				sed 's|^\./||'
		done
	fi
}

mapfile -t sources < <(listed '*.c' '*.h')
[ ${#sources[@]} -gt 0 ] || { echo "no C sources found"; exit 1; }
mapfile -t scripts < <(listed '*.sh'; printf '%s\n' lab .ci/run)
mapfile -t pythons < <(listed '*.py')

formatter=$(command -v clang-format-14 || command -v clang-format)
[ -n "$formatter" ] || { echo "clang-format-14 is not installed"; exit 1; }
violation "clang-format would change" < <(
	for file in "${sources[@]}"; do
		"$formatter" --dry-run -Werror "$file" >/dev/null 2>&1 || printf '%s\n' "$file"
	done)

# Comments and strings are taken out first: to name a banned function is no use of it.
code()
{
	sed -E 's/"([^"\\]|\\.)*"/""/g; s://.*$::; s:/\*([^*]|\*[^/])*\*/::g; s:^[[:space:]]*(/\*|\*( |/|$)).*$::' "$1"
}
banned='strcpy|strcat|sprintf|vsprintf|gets|strtok|strncpy|strncat|rand|srand|random|drand48|alloca|atoi|atol|atof|tmpnam|mktemp|setjmp|longjmp'
violation "banned function" < <(
	for file in "${sources[@]}"; do
		code "$file" | grep -nE "(^|[^A-Za-z0-9_.>])($banned)[[:space:]]*\(" | cut -d: -f1 |
			while IFS= read -r line; do printf '%s:%s:%s\n' "$file" "$line" "$(sed -n "${line}p" "$file")"; done
	done)

violation "engine/ must not include anything of variants/" < <(
	printf '%s\n' "${sources[@]}" | grep '^engine/' | grep -v '_test\.c$' |
		xargs -d '\n' -r grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"].*variants/')
violation "a variant must not include another axis' choice or the harness" < <(
	printf '%s\n' "${sources[@]}" | grep '^variants/' | grep -v '_test\.c$' |
		xargs -d '\n' -r grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"](harness|results|workloads)/')

violation "more than $most_lines lines" < <(
	printf '%s\n' "${sources[@]}" | while IFS= read -r file; do
		lines=$(wc -l <"$file")
		[ "$lines" -gt $most_lines ] && printf '%s %s\n' "$file" "$lines"
	done)
# A .c beside a header of its name may leave the telling to the header.
violation "does not open with a comment that says what it is" < <(
	for file in "${sources[@]}"; do
		[ "$(head -c 2 "$file")" = '/*' ] || { [ "${file%.c}" != "$file" ] && [ -f "${file%.c}.h" ]; } ||
			printf '%s\n' "$file"
	done)
violation "blanks at the end of a line" < <(
	printf '%s\n' "${sources[@]}" "${scripts[@]}" "${pythons[@]}" | xargs -d '\n' grep -nE '[[:blank:]]+$')
violation "left for later" < <(
	printf '%s\n' "${sources[@]}" "${pythons[@]}" | xargs -d '\n' grep -nE '\b(TODO|FIXME|XXX|HACK)\b')

violation "python syntax" < <(
	for file in "${pythons[@]}"; do
		/usr/bin/python3 -c 'import ast, sys; ast.parse(open(sys.argv[1], encoding="utf-8").read(), sys.argv[1])' "$file" 2>&1
	done)
violation "shell syntax" < <(for file in "${scripts[@]}"; do bash -n "$file" 2>&1; done)

[ $violations -eq 0 ] || { echo "style: $violations rules broken"; exit 1; }
echo "style: ${#sources[@]} C files, ${#pythons[@]} python, ${#scripts[@]} shell: all rules hold"
