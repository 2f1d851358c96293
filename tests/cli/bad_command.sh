# A command that is not there, ends badly, is killed or takes too long fails its task, with the
# reason in the results; what it printed is kept; the tasks that need it are skipped.
. "$(dirname "$0")/lib.sh"

run1() # CODE: the YAML on standard input, on one rank
{
    cat >job.yaml
    rm -f job.h5
    expect "$1" "$GRIDMILL" run job.yaml --ranks 1
    [ -f job.h5 ] || fail "no results"
    [ ! -e job.h5.gm ] || fail "the job folder is still there"
    cp out said.out
    cp err said.err
}

run1 1 <<<'command: [no-such-program-anywhere]'
says 'no-such-program-anywhere: No such file'

run1 1 <<<'command: [sh, -c, "echo half; echo wrong >&2; exit 7"]'
says 'exit(ed with|  *status)? *7|status 7'
expect 0 "$GRIDMILL" result show job.h5
says half
says wrong
h5 "
t = f['tasks']
assert int(t['exit_code'][0]) == 7, t['exit_code'][0]" job.h5

run1 1 <<<'command: [sh, -c, "kill -SEGV $$"]'
says 'SEGV|[Ss]ignal 11|Segmentation'

began=$SECONDS
run1 1 <<<$'command: [sh, -c, "sleep 60 & wait"]\ntimeout: 1s'
[ $((SECONDS - began)) -lt 20 ] || fail "the timeout took $((SECONDS - began)) s"
says 'time(out|d out)|longer than'

# A second chance: the first attempt leaves a file, the second finds it.
run1 0 <<END
command: [sh, -c, "test -e $work/tried || { touch $work/tried; exit 3; }"]
retry: {limit: 1, on: [exit]}
END
h5 "
assert int(f['tasks']['attempts'][0]) == 2
assert len(f['attempts'][list(f['attempts'])[0]]) == 2" job.h5

run1 1 <<'END'
tasks:
  - {name: first, command: ["false"]}
  - {name: second, needs: [first], command: [touch, second-ran]}
  - {name: other, command: [touch, other-ran]}
END
[ ! -e second-ran ] || fail "a task ran although what it needs had failed"
[ -e other-ran ] || fail "a task that needs nothing did not run"
says skipped
exit 0
