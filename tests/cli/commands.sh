# What a command is given and what is kept of it: standard input, environment, limits, a private
# folder, no new privileges, output up to a limit, what it used; several at once on their own cores.
. "$(dirname "$0")/lib.sh"

run1() # CODE: the YAML on standard input
{
    cat >job.yaml
    rm -f job.h5
    expect "$1" "$GRIDMILL" run job.yaml -q
    [ -f job.h5 ] || fail "no results"
    [ ! -e job.h5.gm ] || fail "the job folder is still there"
}

log_of() # STREAM TASK
{
    h5 "
g = f['logs/s/' + sys.argv[2]]
a, b = g['offset'][int(sys.argv[3]):][:2]
sys.stdout.write(g['data'][a:b].tobytes().decode())" job.h5 "$1" "$2"
}

# Standard input, by axis; without one there is nothing to read.
for i in 1 2 3; do
    seq "$i" >"in$i"
done
run1 0 <<'END'
ranks: 1
tasks: [{name: s, matrix: {n: 1-3}, command: [wc, -l], stdin: "in${n}"}]
END
[ "$(log_of stdout 2)" = 3 ] || fail "standard input of task 2: $(log_of stdout 2)"
run1 0 <<<'{ranks: 1, tasks: [{name: s, command: [wc, -c]}]}'
[ "$(log_of stdout 0)" = 0 ] || fail "standard input was not empty"

# The environment: what is named, what the stage says, and who it is.
export SECRET=1 MORE_SEEN=2 SEEN=3
run1 0 <<'END'
ranks: 1
tasks: [{name: s, inherit: [PATH, SEEN, MORE_*], env: {OWN: "4"}, command: [sh, -c, "env | sort"]}]
END
[ "$(log_of stdout 0 | cut -d= -f1 | grep -vx -e _ -e PWD | tr '\n' ' ')" = \
    "GRIDMILL_ATTEMPT GRIDMILL_STAGE GRIDMILL_TASK MORE_SEEN OMP_NUM_THREADS OPENBLAS_NUM_THREADS OWN PATH SEEN TMPDIR " ] ||
    fail "environment: $(log_of stdout 0)"

# What was a file when the job was planned, and would hold its reader for ever.
touch late
run1 1 <<'END'
ranks: 1
tasks:
  - {name: a, command: [sh, -c, "rm late; mkfifo late"]}
  - {name: s, needs: [a], stdin: late, command: [wc, -c]}
END
says 's\[0\].*late: is no regular file'

# A rank takes more descriptors than it was given, its commands do not.
[ "$(ulimit -Hn)" != unlimited ] && [ "$(ulimit -Hn)" -lt 1000 ] || (
    ulimit -Sn 200
    run1 0 <<<'{ranks: 1, tasks: [{name: s, command: [sh, -c, "ulimit -Sn; ulimit -Hn"]}]}'
    [ "$(log_of stdout 0 | tr '\n' ' ')" = "200 $(ulimit -Hn) " ] || fail "open files: $(log_of stdout 0)"
) || exit 1

# Limits; no setuid program gains anything.
run1 0 <<'END'
ranks: 1
tasks:
  - name: s
    limits: {files: 40, file-size: 1MiB, cpu: 7s, memory: 512MiB}
    command: [sh, -c, "ulimit -n; ulimit -f; ulimit -t; ulimit -v; ulimit -c; grep NoNewPrivs /proc/self/status"]
END
[ "$(log_of stdout 0 | tr '\n\t' '  ')" = "40 2048 7 524288 0 NoNewPrivs: 1 " ] ||
    fail "limits: $(log_of stdout 0)"
run1 1 <<<'{ranks: 1, tasks: [{name: s, limits: {cpu: 1s}, command: [sh, -c, "while :; do :; done"]}]}'
says 'signal 24|XCPU|CPU time'

# A private folder, empty for each task and gone in the end, whatever a task does to it.
run1 0 <<'END'
ranks: 1
tasks:
  - name: s
    matrix: {x: 1-5}
    command: [sh, -c, 'echo "$TMPDIR" $(ls -A "$TMPDIR" | wc -l); mkdir -p "$TMPDIR/a/b"; touch "$TMPDIR/a/b/c";
              [ ${x} = 2 ] && chmod 0 "$TMPDIR/a"; [ ${x} = 3 ] && rm -r "$TMPDIR"; [ ${x} = 4 ] && mv "$TMPDIR" "$TMPDIR.away"; true']
END
for task in 0 1 2 3 4; do
    read -r folder entries <<<"$(log_of stdout $task)"
    [ "$entries" = 0 ] || fail "task $task found $entries entries"
    case $folder in /?*/gridmill-task-*) ;; *) fail "TMPDIR of task $task: $folder" ;; esac
    [ ! -e "$folder" ] || fail "$folder is still there"
    rm -rf "$folder.away"
done

# Output up to a limit, without growing the rank; what comes after is read and dropped.
run1 0 <<'END'
ranks: 1
tasks:
  - name: s
    output-limit: 1MiB
    command: [sh, -c, "echo first; echo wrong >&2; head -c 1G /dev/zero; echo last >&2"]
END
h5 "
g = f['logs/s/stdout']
text = g['data'][:].tobytes()
mark = b'\n[gridmill: output cut here]\n'
assert text == b'first\n' + bytes(2**20 - 6) + mark, (len(text), text[:20], text[-40:])
assert f['logs/s/stderr/data'][:].tobytes() == b'wrong\nlast\n'" job.h5

# What it used: its own processor time and memory, not the rank's.
run1 0 <<'END'
ranks: 1
tasks:
  - name: s
    matrix: {mib: [8, 300]}
    command: [python3, -c, "import time; b = bytearray(${mib} << 20); t = time.process_time() + 0.2\nwhile time.process_time() < t: pass"]
END
h5 "
a = f['attempts']
small, large = a['max_rss'][:]
assert 8 << 20 <= small < 40 << 20, small
assert 300 << 20 <= large < 340 << 20, large
assert all(0.15 < u < 2 for u in a['user'][:] + a['system'][:]), a['user'][:]" job.h5

# Several at once, each on a core of its own.
if [ "$CORES" -ge 2 ]; then
    run1 0 <<'END'
ranks: 1
per-rank: {cores: 2}
tasks: [{name: s, matrix: {x: 1-8}, cores: 1, command: [sh, -c, "taskset -pc $$ | sed 's/.*: //'; sleep 0.2"]}]
END
    h5 "
start, end = f['tasks/start'][:], f['tasks/end'][:]
at_once = [int(((start <= t) & (t < end)).sum()) for t in start]
assert max(at_once) == 2, at_once
g = f['logs/s/stdout']
cpus = g['data'][:].tobytes().decode().split()
assert len(cpus) == 8 and len(set(cpus)) == 2, cpus
for i in range(8):
    for k in range(i):
        if max(start[i], start[k]) + 0.05 < min(end[i], end[k]):
            assert cpus[i] != cpus[k], (i, k, cpus)
assert f['tasks/end'][:].max() - start.min() < 1.4, end.max() - start.min()" job.h5
fi

# Some fail, are tried again and succeed, each in its own lane.
run1 1 <<END
ranks: 1
oversubscribe: true
per-rank: {cores: 2}
tasks:
  - name: s
    matrix: {x: 1-12}
    cores: 1
    retry: {limit: 1, on: [exit]}
    command: [sh, -c, 'echo "\$GRIDMILL_TASK.\$GRIDMILL_ATTEMPT"; [ \$((\${x} % 3)) != 0 ] || { [ \${x} != 9 ] && [ \$GRIDMILL_ATTEMPT = 2 ]; }']
END
h5 "
assert f['tasks/attempts'][:].tolist() == [1, 1, 2] * 4
assert f['tasks/status'][:].tolist() == [1] * 8 + [2] + [1] * 3
g = f['logs/s/stdout']
said = g['data'][:].tobytes().decode().split()
assert said == ['%d.%d' % (i, 2 if i % 3 == 2 else 1) for i in range(12)], said" job.h5
exit 0
