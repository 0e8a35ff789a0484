# The first process of a build's container: it stays alive, reads work from its stdin and tells on its stdout how each
# command ended. Runs in dash, bash and busybox ash. Spoken with by docker.py; nothing of it is typed by people.
#
# Work, one line each (fields by one space):
#   START <shell> <user|->       start the shell that all commands of a version 0.2 buildspec share
#   RUN <nonce> <0|1> <text>     run a command in that shell; 0 or 1 is CODEBUILD_BUILD_SUCCEEDING
#   ALONE <nonce> <0|1> <shell> <user|-> <text>     run a command in a shell of its own (version 0.1)
#   LEAVE                        end the shared shell, keeping its directory and its exported variables
# <text> is in the form that printf's %b turns back, so that it is one line of ASCII.
# Answers, anywhere in the output, are the byte 036, a nonce that the command can't know, a word and a newline.

cs_tmp=/codebuild/tmp
IFS=' ' read -r cs_session cs_mode cs_directory
# An engine inside makes control groups of its own; where the container lacks a capability of the host's, its engine has
# mounted them read-only.
if [ "$cs_mode" = privileged ]; then
  for cs_mount in /sys/fs/cgroup /sys/fs/cgroup/*; do
    if mountpoint -q "$cs_mount" 2>/dev/null; then mount -o remount,bind,rw "$cs_mount" 2>/dev/null; fi
  done
fi
. /codebuild/readonly/environment.sh
# Without `rm` and `chmod`: each is a program that every build would wait for.
: >/codebuild/readonly/environment.sh
cd -- "$cs_directory" || exit 1
# A command may run as another user than this shell.
umask 0
export -p >"$cs_tmp/exported"
pwd >"$cs_tmp/directory"
: >"$cs_tmp/command"
umask 022
# 8 is the work, 7 the log: a command may close or redirect 0, 1 and 2 without cutting us off.
exec 7>&1 8<&0 </dev/null 2>&1

# Becoming another user leaves the environment, working directory and open files as they are.
cs_as() {
  cs_user=$1
  shift
  if [ "$cs_user" = - ]; then "$@"; else su -p -s /bin/sh -c 'exec "$0" "$@"' "$cs_user" "$@"; fi
}

while IFS=' ' read -r cs_verb cs_first cs_rest <&8; do
  case $cs_verb in
    START)
      cs_as "$cs_rest" "$cs_first" /codebuild/readonly/shell.sh
      printf '\036%s %s\n' "$cs_session" "$?" >&7
      ;;
    ALONE)
      printf '\036%s begun\n' "$cs_first" >&7
      CODEBUILD_BUILD_SUCCEEDING=${cs_rest%% *}
      export CODEBUILD_BUILD_SUCCEEDING
      cs_rest=${cs_rest#* }
      cs_shell=${cs_rest%% *}
      cs_rest=${cs_rest#* }
      cs_user=${cs_rest%% *}
      printf '%b\n' "${cs_rest#* }" >"$cs_tmp/command"
      cs_as "$cs_user" "$cs_shell" "$cs_tmp/command" 7>&- 8<&-
      printf '\036%s %s\n' "$cs_first" "$?" >&7
      ;;
    *)
      # Meant for a shared shell that has ended meanwhile.
      printf '\036%s lost\n' "$cs_session" >&7
      ;;
  esac
done
