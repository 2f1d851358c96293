# The rest of the short form, run: shards of bytes and files, sources over axes, lists with references,
# commands that are run when the job is over; and what is refused because it cannot be run yet.
. "$(dirname "$0")/lib.sh"
mkdir parts
for i in 3 1 2 5 4; do
    printf 'part %d\n' $i >parts/p$i.txt
done
echo hidden >parts/.hidden.txt
echo other >parts/other.csv
mkdir parts/folder.txt
printf '0123456789abcdefghij' >data.bin
printf '1\n2\n3\n4\n' >day-1.csv
printf '5\n6\n7\n8\n' >day-2.csv

cat >shards.yaml <<'END'
ranks: 2
oversubscribe: true
tasks:
  - name: bytes
    shards: {of: data.bin, bytes: 8B}
    command: [dd, "if=${shard.path}", bs=1, "skip=${shard.first}", "count=${shard.count}", status=none]
  - name: files
    shards: {of: "parts/*.txt", files: 2}
    command: [cat, "${shard.path}"]
  - name: each
    shards: {of: parts, files: 1}
    command: [printenv, FILE]
    env: {FILE: "${shard.path}"}
  - name: axes
    matrix: {day: 1-2}
    shards: {of: "day-${day}.csv", rows: 2}
    command: [echo, "${shard.path}", "${shard.first}"]
results: shards.h5
END
expect 0 "$GRIDMILL" check shards.yaml
says '4 stages, 16 tasks'
expect 0 "$GRIDMILL" run shards.yaml
h5 "
import os
def said(stage):
    log = f['logs'][stage]['stdout']
    n = len(f['stages'][stage]['tasks']['index']) if 'tasks' in f['stages'][stage] else None
    return log['data'][...].tobytes().decode()
assert said('bytes') == '0123456789abcdefghij', said('bytes')
assert said('files') == ''.join('part %d\n' % i for i in range(1, 6)), said('files')
names = [os.path.basename(p) for p in said('each').split()]
assert names == ['other.csv', 'p1.txt', 'p2.txt', 'p3.txt', 'p4.txt', 'p5.txt'], names
got = [(os.path.basename(p), i) for p, i in (l.split() for l in said('axes').splitlines())]
assert got == [('day-1.csv', '0'), ('day-1.csv', '2'), ('day-2.csv', '0'), ('day-2.csv', '2')], got" \
    shards.h5
before=$(hash_of shards.h5)

# The list is part of what was computed: a file more is another result.
rm -f shards.h5 shards.summary.json
expect 0 "$GRIDMILL" run shards.yaml
[ "$(hash_of shards.h5)" = "$before" ] || fail "the same files, another hash"
rm -f shards.h5 shards.summary.json
printf 'part 6\n' >parts/p6.txt
expect 0 "$GRIDMILL" run shards.yaml
[ "$(hash_of shards.h5)" != "$before" ] || fail "one file more, the same hash"
expect 2 "$GRIDMILL" check shards.yaml --set tasks.files.shards.of=none/*.txt
says 'none: No such file or directory'
expect 2 "$GRIDMILL" check shards.yaml --set 'tasks.files.shards.of=parts/*.dat'
says 'parts/\*.dat: no such files'
echo 9 >>day-2.csv
expect 2 "$GRIDMILL" check shards.yaml
says 'day-1.csv has 4 rows, but .*day-2.csv has 5'

# stdin: over an axis, a shard, what a stage computed; what is in the files is part of the result.
printf 'one\n' >in-1.txt
printf 'two\n' >in-2.txt
ln -s "$EXAMPLES/data" data
cat >stdin.yaml <<'END'
ranks: 2
oversubscribe: true
tasks:
  - {name: axis, matrix: {i: 1-2}, command: [cat], stdin: "in-${i}.txt"}
  - {name: piece, shards: {of: "parts/p[12].txt", files: 1}, command: [cat], stdin: "${shard.path}"}
  - {name: train, kernel: mlp.train, args: {data: data/digits.csv.gz, layers: [64, 10], epochs: 1}}
  - {name: array, command: [cut, -b, 2-6], stdin: "${train.loss}"}
  - {name: none, command: [cat]}
results: stdin.h5
END
expect 0 "$GRIDMILL" plan stdin.yaml --tasks axis:1
says "^ *stdin +$work/in-2.txt\$"
expect 0 "$GRIDMILL" run stdin.yaml -q
h5 "
said = {s: f['logs'][s]['stdout/data'][...].tobytes() for s in f['logs']}
assert said['axis'] == b'one\ntwo\n' and said['piece'] == b'part 1\npart 2\n', said
assert said['array'].startswith(b'NUMPY') and said.get('none', b'') == b'', said" stdin.h5
before=$(hash_of stdin.h5)
printf 'three\n' >in-2.txt
expect 0 "$GRIDMILL" run stdin.yaml -q --force
[ "$(hash_of stdin.h5)" != "$before" ] || fail "another input, the same hash"
rm in-2.txt
expect 2 "$GRIDMILL" check stdin.yaml
says 'tasks\[0\].stdin: .*in-2.txt: No such file'

# results: compressed, or a small file over the ranks' own: the same values, the same hash.
cat >values.yaml <<'END'
ranks: 2
oversubscribe: true
matrix: {seed: 1-20}
kernel: mlp.train
args: {data: data/digits.csv.gz, layers: [64, 32, 10], epochs: 1, init-seed: "${seed}"}
END
expect 0 "$GRIDMILL" run values.yaml -q --results plain.h5
for how in '{compress: gzip}' '{pack: sharded}'; do
    rm -rf values.h5*
    expect 0 "$GRIDMILL" run values.yaml -q --set "results=$how" --results values.h5
    [ "$(hash_of values.h5)" = "$(hash_of plain.h5)" ] || fail "$how: another hash"
    expect 0 "$GRIDMILL" result diff plain.h5 values.h5
    says '^equal: 20 tasks$'
    h5 "
g, p = h5py.File('plain.h5'), 'stages/main/outputs/model/data'
assert (f[p][...] == g[p][...]).all()
if 'gzip' in sys.argv[2]:
    assert f[p].compression == 'gzip' and f[p].fletcher32, f[p].compression
else:
    assert f[p].is_virtual, 'one file alone'" values.h5 "$how"
done
[ -d values.h5.parts ] || fail "the parts are gone"
mv values.h5 first.h5 # its parts are nobody else's
for _ in 1 2 3; do
    expect 0 "$GRIDMILL" run values.yaml -q --force --set 'results={pack: sharded}' --results values.h5
done
[ "$(ls values.h5.parts | wc -l)" -eq 3 ] || fail "parts: $(ls values.h5.parts)"
for file in first.h5 values.h5 values.h5.old; do
    [ "$(hash_of $file)" = "$(hash_of plain.h5)" ] || fail "$file: its parts are gone"
done
[ ! -e values.h5.gm ] || fail "the shards are left"

# notify: after the end, whatever it was; its own failure changes nothing.
cat >notify.yaml <<'END'
name: told
ranks: 1
command: [sh, -c, "exit ${code}"]
matrix: {code: [0]}
notify:
  - [sh, -c, "echo $GRIDMILL_JOB $GRIDMILL_OUTCOME $GRIDMILL_RESULTS $1 >>told.txt; echo said", sh, "${results}"]
  - [sh, -c, "exit 3"]
  - [gridmill-no-such-program]
  - [sh, -c, "kill -9 $$"]
  - [sh, -c, "echo last >>told.txt"]
results: told.h5
END
expect 0 "$GRIDMILL" run notify.yaml --oversubscribe
says 'warning: notify\[1\] \(sh\): exit status 3'
says 'warning: notify\[2\] \(gridmill-no-such-program\): .*No such file'
says 'warning: notify\[3\] \(sh\): ended by signal 9'
grep -q said out && fail "a notify command spoke on standard output"
[ "$(cat told.txt)" = "told done $work/told.h5 $work/told.h5
last" ] || fail "told.txt: $(cat told.txt)"
rm -f told.txt told.h5 told.summary.json
expect 1 "$GRIDMILL" run notify.yaml --oversubscribe --set 'matrix.code=[1]'
grep -q '^told failed ' told.txt || fail "told.txt: $(cat told.txt)"
rm -f told.txt
expect 2 "$GRIDMILL" run notify.yaml --oversubscribe
[ ! -e told.txt ] || fail "told of a job that did not run"

# What this version can check and not run is told by plan and run alone.
cannot() # SET REGEX
{
    expect 0 "$GRIDMILL" check notify.yaml --set "$1"
    expect 2 "$GRIDMILL" plan notify.yaml --oversubscribe --set "$1"
    says "$2"
    expect 2 "$GRIDMILL" run notify.yaml --oversubscribe --set "$1"
    says "$2"
    expect 2 "${MPIRUN[@]}" -n 1 "$RUNNER" notify.yaml --set "$1"
    says "$2"
}
cannot mapping=rankfile:FILE=r "mapping: 'rankfile' cannot be placed: write an object such as core"
cannot mapping=ppr:2:board "mapping: 'board' cannot be placed"
cannot 'results={writers: host}' "writers: 'host': .*not run it yet; write rank"
printf 'mapping: dist:mlx4_0\ncommand: [a]\n' >at.yaml
expect 2 "$GRIDMILL" run at.yaml
says "at.yaml:1:10: mapping: 'dist' cannot be placed"
expect 3 "$GRIDMILL" plan notify.yaml --oversubscribe --set cores=100000
says 'stage main: a task takes 100000 cores, which no rank has: ask for more by per-rank$'
expect 3 "$GRIDMILL" run notify.yaml --oversubscribe --set gpus=1000
says 'a task takes 1000 GPUs, which no rank has'
expect 0 "$GRIDMILL" check notify.yaml --set telemetry.every=1s
says 'warning: .*takes no samples yet'
exit 0
