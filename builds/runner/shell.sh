# The shell that all commands of a version 0.2 buildspec share: each is sourced here, so that cd, export, functions and
# options carry over. When it ends early (`exit`, `exec`, a signal), agent.sh starts another, which takes up the
# directory and the exported variables of the last one.

cs_tmp=/codebuild/tmp
. "$cs_tmp/exported"
IFS= read -r cs_directory <"$cs_tmp/directory"
cd -- "$cs_directory" 2>/dev/null || cd /
cs_save() {
  export -p >|"$cs_tmp/exported"
  pwd >|"$cs_tmp/directory" 2>/dev/null
}
trap cs_save EXIT
cs_options=

while IFS=' ' read -r cs_verb cs_nonce cs_rest <&8; do
  case $cs_verb in
    RUN) ;;
    *) break ;;
  esac
  printf '\036%s begun\n' "$cs_nonce" >&7
  CODEBUILD_BUILD_SUCCEEDING=${cs_rest%% *}
  export CODEBUILD_BUILD_SUCCEEDING
  printf '%b\n' "${cs_rest#* }" >|"$cs_tmp/command"
  case $cs_options in *e*) set -e ;; esac
  case $cs_options in *u*) set -u ;; esac
  case $cs_options in *x*) set -x ;; esac
  . "$cs_tmp/command" </dev/null 7>&- 8<&-
  { cs_status=$? cs_options=$-; set +eux; } 2>/dev/null
  cs_save
  printf '\036%s %s\n' "$cs_nonce" "$cs_status" >&7
done
# Where no work follows the build is over, and ends as if it was killed: whatever a command wants done at the exit.
case $cs_verb in '') trap - EXIT ;; esac
