#!/bin/sh
# codebuild-hash-files GLOB…: one SHA-256 over the names and contents of the files that match, for keys of caches.
# `*` and `?` stay within one name, `**/` goes across folders. Nothing is written where no file matches.
cs_files() {
  for cs_glob in "$@"; do
    case $cs_glob in
      *'**/'*)
        cs_folder=${cs_glob%%'**/'*}
        cs_rest=${cs_glob##*'**/'}
        case $cs_rest in
          */*) find "${cs_folder:-.}" -type f -path "*/$cs_rest" ;;
          *) find "${cs_folder:-.}" -type f -name "$cs_rest" ;;
        esac
        ;;
      *)
        # Blanks belong to the names: nothing but newlines parts what the glob gives.
        IFS='
'
        # shellcheck disable=SC2086  the glob is to be expanded
        for cs_file in $cs_glob; do
          if [ -f "$cs_file" ]; then printf '%s\n' "$cs_file"; fi
        done
        ;;
    esac
  done | sed 's,^\./,,' | LC_ALL=C sort -u
}

cs_found=$(cs_files "$@")
if [ -z "$cs_found" ]; then
  echo "codebuild-hash-files: no file matches $*" >&2
  exit 1
fi
printf '%s\n' "$cs_found" | while IFS= read -r cs_file; do sha256sum <"$cs_file" && printf '%s\n' "$cs_file"; done |
  sha256sum | cut -d ' ' -f 1
