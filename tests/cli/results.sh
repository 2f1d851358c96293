# gridmill result tasks, failed, export, diff, pack: what they print is what h5py reads, also of a run that
# was killed, and whatever the texts in it hold.
. "$(dirname "$0")/lib.sh"
ln -s "$EXAMPLES/data" data
cat >mix.yaml <<'END'
ranks: 2
oversubscribe: true
tasks:
  - name: train
    kernel: mlp.train
    matrix: {lr: [0.1, 0.03], seed: 1-3}
    args: {data: data/digits.csv.gz, layers: [64, 16, 10], scale: 0.0625, epochs: 2, split-seed: 1,
           lr: "${lr}", init-seed: "${seed}"}
  - name: score
    kernel: mlp.infer
    shards: {of: data/digits.csv.gz, rows: 1024}
    args: {model: "${train.model@max:accuracy}", split-seed: 1, part: test}
  - name: say
    matrix: {code: [0, 3], word: ["a,b", "c\"d", "e\nf"]}
    command: [sh, -c, 'printf "%s|" "$1"; printf "\033[31mred" >&2; exit ${code}', sh, "${word}"]
  - name: after
    needs: [say]
    command: [echo, never]
END
expect 1 "$GRIDMILL" run mix.yaml -q

# tasks: a line a task, in order.
expect 0 "$GRIDMILL" result tasks mix.h5
[ "$(wc -l <out)" -eq 16 ] || fail "$(wc -l <out) lines"
says '^train +0  done +1 +[01] +[0-9.]+ .?s  init-seed=1 lr=0.1$'
says '^say +3  failed .*code=3 word=a,b: exit status 3$'
says '^after +0  skipped +0 +needs say\[3\], which failed$'
expect 0 "$GRIDMILL" result tasks mix.h5 --status failed,skipped --json
"$PYTHON" - <<'END' || fail "tasks --json"
import json
d = json.load(open("out"))
assert d["schema"] == "gridmill.result-tasks/1" and d["file"] == "mix.h5"
t = d["tasks"]
assert [(x["stage"], x["index"], x["status"], x["reason"]) for x in t] == [
    ("say", 3, "failed", "exit"), ("say", 4, "failed", "exit"), ("say", 5, "failed", "exit"),
    ("after", 0, "skipped", "needs")], t
assert t[1]["params"] == {"code": 3, "word": 'c"d'} and t[1]["exit_code"] == 3, t[1]
assert t[3]["rank"] is None and t[3]["start"] is None and t[3]["attempts"] == 0, t[3]
assert t[3]["message"] == "needs say[3], which failed" and t[3]["digest"] is None, t[3]
END
expect 0 "$GRIDMILL" result tasks mix.h5 --stage say --task 1-2
[ "$(wc -l <out)" -eq 3 ] || fail "--task 1-2"

# A skipped task says for which other one: the same element, the first of a stage, through a stage between,
# a reference; the best of a stage is to be had while one of it is done.
cat >skips.yaml <<'END'
ranks: 1
tasks:
  - {name: make, matrix: {x: 1-4}, command: [sh, -c, "test ${x} != 3"]}
  - {name: all, needs: [make], matrix: {x: 1-4}, command: [echo, "${x}"]}
  - {name: sum, needs: [all], command: ["true"]}
  - name: net
    matrix: {path: [data/digits.csv.gz, mix.h5, mix.h5]}
    kernel: mlp.train
    args: {data: "${path}", layers: [64, 10], epochs: 1}
  - {name: use, matrix: {x: 1-3}, kernel: mlp.infer, args: {model: "${net.model}", data: data/digits.csv.gz}}
  - {name: best, needs: [make], kernel: mlp.infer, args: {model: "${net.model@max:accuracy}", data: data/digits.csv.gz}}
END
expect 1 "$GRIDMILL" run skips.yaml -q
expect 0 "$GRIDMILL" result tasks skips.h5
says '^all +3  skipped .* needs make\[2\], which failed$'
says '^sum +0  skipped .* needs all\[0\], which was skipped since make\[2\] failed$'
says '^use +0  done'
says '^use +2  skipped .* needs net\[2\], which failed$'
says '^best +0  skipped .* needs make\[2\], which failed$'

# failed: why, and what they printed, which steers no terminal.
expect 0 "$GRIDMILL" result failed mix.h5
says '^say\[4\]  code=3 word=c"d: exit status 3$'
says '^    1 attempt, the last took .*, rank [01] on '
says '^    \| c"d\|'
says '^    \| \?\[31mred$'
says '^3 tasks failed, 1 skipped as they need one that failed$'
says '^to run them again: gridmill resume --failed mix.h5$'
grep -q "$(printf '\033')" out && fail "an escape went through"
expect 0 "$GRIDMILL" result failed mix.h5 --json
"$PYTHON" - <<'END' || fail "failed --json"
import json
d = json.load(open("out"))
assert (d["failed"], d["skipped"], d["open"], len(d["tasks"])) == (3, 1, 0, 3), d
assert d["tasks"][2]["stdout"] == "e\nf|" and d["tasks"][2]["stderr"] == "\033[31mred", d
assert d["tasks"][2]["message"] == "exit status 3", d
END
# Bytes that are no text, a 0 among them, a line's end of another system: all of it is shown, tamed.
cat >bytes.yaml <<'END'
ranks: 1
command: [bash, -c, "printf '\\377a\\000b\\302\\233c\\303\\251\\r\\n'; exit 3"]
END
expect 1 "$GRIDMILL" run bytes.yaml -q
expect 0 "$GRIDMILL" result failed bytes.h5
says '^    \| \?a\?b\?\?cé$'
expect 0 "$GRIDMILL" result failed bytes.h5 --json
"$PYTHON" - <<'END' || fail "failed --json of bytes"
import json
d = json.loads(open("out", "rb").read().decode())
assert d["tasks"][0]["stdout"].endswith("a\0b\u009bcé\r\n"), d
END
expect 0 "$GRIDMILL" result failed mix.h5 --stage train
says '^no task failed$'

# export: the same numbers as in the file.
expect 0 "$GRIDMILL" result export mix.h5 --stage train -o train.csv
expect 0 "$GRIDMILL" result export mix.h5 --stage train --value loss -o loss.csv
expect 0 "$GRIDMILL" result export mix.h5 --stage score --value confusion -o confusion.csv
expect 0 "$GRIDMILL" result export mix.h5 --stage say --value stdout --value stderr -o say.csv
expect 0 "$GRIDMILL" result export mix.h5 -o all.json
expect 0 "$GRIDMILL" result export mix.h5 --stage score --value class --value accuracy -o class.json
expect 0 "$GRIDMILL" result export mix.h5 --stage train --value accuracy -o accuracy.npy
expect 0 "$GRIDMILL" result export mix.h5 --stage train --value loss -o loss.npy
expect 0 "$GRIDMILL" result export mix.h5 --stage train --value model --task 4 -o model.npy
expect 0 "$GRIDMILL" result export mix.h5 --stage score --value probability --task 1 -o p.npy
h5 '
import csv, io
train, score = f["stages/train/outputs"], f["stages/score/outputs"]
rows = list(csv.DictReader(open("train.csv", newline="")))
assert [float(r["accuracy"]) for r in rows] == train["accuracy"][:].tolist()
assert [r["lr"] for r in rows] == ["0.1"] * 3 + ["0.03"] * 3 and rows[4]["init-seed"] == "2"
assert [float(r["start"]) for r in rows] == f["tasks/start"][:6].tolist()
assert all(r["status"] == "done" and r["message"] == "" and None not in r for r in rows)
assert [int(r["digest"], 16) for r in rows] == f["tasks/digest"][:6].tolist()
assert [int(r["timed_with"]) for r in rows] == f["tasks/timed_with"][:6].tolist()

def ragged(g, i):
    a, b = g["offset"][i:i + 2]
    return g["data"][a:b].reshape(g["shape"][i]) if "shape" in g else g["data"][a:b]

loss = [ragged(f["series/train/loss"], i) for i in range(6)]
rows = list(csv.DictReader(open("loss.csv", newline="")))
assert [(int(r["index"]), int(r["i0"]), float(r["loss"])) for r in rows] == [
    (i, k, loss[i][k]) for i in range(6) for k in range(2)]
m = score["confusion"][:]
rows = list(csv.DictReader(open("confusion.csv", newline="")))
assert len(rows) == m.size == 200
assert all(m[int(r["index"]), int(r["i0"]), int(r["i1"])] == int(r["confusion"]) for r in rows)
rows = list(csv.DictReader(open("say.csv", newline="")))
assert [r["stdout"] for r in rows] == ["a,b|", "c\"d|", "e\nf|"] * 2, rows
assert [r["word"] for r in rows] == ["a,b", "c\"d", "e\nf"] * 2 and rows[5]["exit_code"] == "3"
assert rows[0]["stderr"] == "\033[31mred"

d = json.load(open("all.json"))
assert [(s["name"], s["n_tasks"]) for s in d["stages"]] == [
    ("train", 6), ("score", 2), ("say", 6), ("after", 1)]
assert "model" in d["stages"][0]["left_out"] and "accuracy" not in d["stages"][0]["left_out"]
assert [t["values"]["accuracy"] for t in d["tasks"][:6]] == train["accuracy"][:].tolist()
assert d["tasks"][14]["status"] == "skipped" and d["tasks"][14]["values"] == {}
d = json.load(open("class.json"))
for i, t in enumerate(d["tasks"]):
    assert t["values"]["class"] == ragged(score["class"], i).tolist()
    assert t["values"]["accuracy"] == score["accuracy"][i]

assert (np.load("accuracy.npy") == train["accuracy"][:]).all()
a = np.load("loss.npy")
assert a.shape == (6, 2) and a.dtype == np.float64 and (a == np.array(loss)).all()
a, b = np.load("model.npy"), ragged(train["model"], 4)
assert a.dtype == b.dtype == np.uint8 and (a == b).all()
a, b = np.load("p.npy"), ragged(score["probability"], 1)
assert a.dtype == b.dtype and a.shape == b.shape and (a == b).all(), (a.shape, b.shape)
' mix.h5

# Tasks without a value: an empty field, NaN.
cat >some.yaml <<'END'
ranks: 1
matrix: {path: [data/digits.csv.gz, mix.h5]}
kernel: mlp.train
args: {data: "${path}", layers: [64, 10], epochs: 1}
END
expect 1 "$GRIDMILL" run some.yaml -q
expect 0 "$GRIDMILL" result export some.h5 -o some.csv
expect 0 "$GRIDMILL" result export some.h5 --value accuracy -o some.npy
h5 '
import csv
rows = list(csv.DictReader(open("some.csv", newline="")))
want = f["stages/main/outputs/accuracy"][:]
a = np.load("some.npy")
assert a.shape == want.shape == (2,) and a[0] == want[0] and np.isnan(a[1]) and np.isnan(want[1])
assert rows[1]["accuracy"] == "" and rows[1]["status"] == "failed" and "finite" in rows[1]["message"]
assert float(rows[0]["accuracy"]) == want[0] and rows[1]["data"] == "mix.h5"
' some.h5

# diff: equal where the hash is; else where, and by how much.
cp mix.h5 first.h5
expect 1 "$GRIDMILL" run mix.yaml -q --force --ranks 1
[ "$(hash_of mix.h5)" = "$(hash_of first.h5)" ] || fail "another hash"
expect 0 "$GRIDMILL" result diff first.h5 mix.h5
says '^equal: 15 tasks$'
expect 1 "$GRIDMILL" run mix.yaml -q --force --set tasks.train.args.momentum=0.9000001 \
    --set 'tasks.say.matrix.code=[0, 4]'
expect 1 "$GRIDMILL" result diff first.h5 mix.h5
says '^train: other arguments$'
says '^train\[0\].loss: [12] of 2 elements differ, first \[[01]\]: [0-9.]+ and [0-9.]+, by [0-9.e-]+( at most)?, relatively by [0-9.e-]+$'
says '^[0-9]+ of 15 tasks differ, by [0-9.e-]+ at most, relatively by [0-9.e-]+$'
expect 1 "$GRIDMILL" result diff first.h5 mix.h5 --stage train --json
h5 '
d = json.load(open("out"))
a = f["series/train/loss/data"][:].reshape(6, 2)
b = h5py.File("mix.h5")["series/train/loss/data"][:].reshape(6, 2)
got = {x["where"]: x for x in d["differences"] if x["where"].endswith(".loss")}
assert len(got) == (a != b).any(axis=1).sum() > 0
for i in range(6):
    far = abs(a[i] - b[i])
    if not far.any():
        continue
    x = got[f"train[{i}].loss"]
    assert (x["elements"], x["of"], x["first"]) == ((far > 0).sum(), 2, far.nonzero()[0][0]), x
    assert x["absolute"] == far.max() and x["relative"] == (far / np.maximum(abs(a[i]), abs(b[i]))).max(), x
assert d["absolute"] >= max(x["absolute"] for x in got.values())
' first.h5
expect 1 "$GRIDMILL" result diff first.h5 mix.h5 --stage say --json
"$PYTHON" - <<'END' || fail "diff --json"
import json
d = json.load(open("out"))
assert d["equal"] is False and d["tasks"] == 6 and d["tasks_that_differ"] == 3, d
where = {x["where"]: x["difference"] for x in d["differences"]}
assert where["say[3]"] == "exit status 3 and 4", where
assert where["say[3].params"] == '{"code":3,"word":"a,b"} and {"code":4,"word":"a,b"}', where
END
expect 1 "$GRIDMILL" result diff first.h5 mix.h5 --stage train --tolerance 0.01
says_not 'loss'
expect 1 "$GRIDMILL" result diff first.h5 mix.h5 --stage train
says 'loss'
# NaN is NaN and 0 is -0, though not to the hash; NaN and a number are as far apart as can be.
cp first.h5 one.h5
cp first.h5 two.h5
"$PYTHON" - <<'END' || fail "h5py"
import h5py, numpy as np
for name, values in (("one.h5", [np.nan, 0.0, 1.0]), ("two.h5", [-np.nan, -0.0, np.nan])):
    with h5py.File(name, "r+") as f:
        f["stages/train/outputs/accuracy"][:3] = values
END
expect 1 "$GRIDMILL" result diff one.h5 two.h5
says '^train\[0\].accuracy: nan and -?nan, the same number in other bits$'
says '^train\[1\].accuracy: 0.0 and -0.0, the same number in other bits$'
says '^train\[2\].accuracy: 1.0 and nan, by inf, relatively by inf$'
expect 1 "$GRIDMILL" result diff one.h5 two.h5 --tolerance 1e-9 --json
"$PYTHON" - <<'END' || fail "NaN"
import json
d = json.load(open("out"))
assert [x["where"] for x in d["differences"]] == ["train[2].accuracy"] and d["absolute"] is None, d
END

expect 0 "$GRIDMILL" run -q --ranks 1 --results true.h5 -- true
expect 1 "$GRIDMILL" result diff first.h5 true.h5
says '^train: only in the first$'
says_not 'of 0 tasks'
says 'true.*: only in the second$'

# A run that was killed: its shards are read.
cat >cut.yaml <<'END'
ranks: 2
oversubscribe: true
matrix: {s: [0, 0.01, 100]}
command: [sh, -c, "echo ${s}; sleep ${s}"]
END
"$GRIDMILL" run cut.yaml -q >run.out 2>&1 </dev/null &
pid=$!
for _ in $(seq 100); do
    [ "$("$GRIDMILL" result tasks cut.h5 --status done 2>/dev/null | wc -l)" -ge 3 ] && break
    sleep 0.1
done
expect 0 "$GRIDMILL" result tasks cut.h5
says '^main +0  done .*s=0$'
says '^main +2  open +0'
kill "$pid" 2>/dev/null
wait "$pid"
expect 0 "$GRIDMILL" result export cut.h5 --value stdout
says '^1,0.01,done,1,[01],.*,1,,0,0,"0.01$'
says '^2,,open,0,,,,,,,,,$'
expect 0 "$GRIDMILL" result failed cut.h5
says '1 not over yet'

expect 0 "$GRIDMILL" result show cut.h5
says '^  not packed: the committed tasks are in cut.h5.gm$'
says '^  its run is over: gridmill resume cut.h5$'
mkdir empty.h5.gm
expect 2 "$GRIDMILL" result show empty.h5
says 'empty.h5.gm: is a folder, and holds no run.s results$'
cp cut.h5.gm/plan.json empty.h5.gm/
expect 2 "$GRIDMILL" result tasks empty.h5.gm
says 'empty.h5.gm: no rank of its run has come to a task yet$'

# pack: what there is into another file, and FILE itself where all is over and only the pack is missing
# (here FILE's place was taken when the ranks wanted to write it; the folder stays).
expect 2 "$GRIDMILL" result pack cut.h5
says '2 of 3 tasks are over: gridmill resume .*cut.h5 runs the rest, and -o OUT packs what there is$'
expect 0 "$GRIDMILL" result pack cut.h5.gm/ -o part.h5
says 'part.h5: 2 of 3 tasks$'
[ -d cut.h5.gm ] || fail "the run's folder is gone"
expect 0 "$GRIDMILL" result diff cut.h5 part.h5
cp part.h5 less.h5
"$PYTHON" -c 'import h5py; h5py.File("less.h5", "r+")["tasks/status"][1] = 0' || fail "h5py"
expect 1 "$GRIDMILL" result diff part.h5 less.h5
[ "$(cat out)" = $'main[1]: done and open\n1 of 3 tasks differ' ] || fail "not the status alone of a task that is open"
h5 "assert f['tasks/status'][:].tolist() == [1, 1, 0] and 'outcome' not in f['job'].attrs" part.h5
cat >whole.yaml <<'END'
ranks: 1
results: {file: whole.h5, compress: gzip}
tasks:
  - {name: wait, command: [sh, -c, "until [ -e go ]; do sleep 0.05; done"]}
  - {name: data, kernel: mlp.train, args: {data: data/digits.csv.gz, layers: [64, 256, 10], epochs: 1}}
END
"$GRIDMILL" run whole.yaml -q >run.out 2>&1 </dev/null &
pid=$!
for _ in $(seq 100); do
    [ -e whole.h5.gm/job.h5 ] && break
    sleep 0.1
done
mkdir whole.h5
touch go
wait "$pid"
rc=$?
[ $rc -eq 5 ] || fail "exit $rc of a run that could not be packed: $(cat run.out)"
rmdir whole.h5
expect 0 "$GRIDMILL" result pack whole.h5 --json
says '"over": 2'
[ ! -e whole.h5.gm ] || fail "the folder is left"
[ -s whole.summary.json ] || fail "no summary"
expect 0 "$GRIDMILL" result pack whole.h5 --compress none -o plain.h5
expect 0 "$GRIDMILL" result diff whole.h5 plain.h5
[ "$(hash_of whole.h5)" = "$(hash_of plain.h5)" ] || fail "packed again, another hash"
h5 "
p = 'stages/data/outputs/model/data'
g = h5py.File('plain.h5')
assert f[p].compression == 'gzip' and g[p].compression is None
assert f['job'].attrs['outcome'] == b'done' == g['job'].attrs['outcome']
assert f['tasks/end'][:].max() == f['job'].attrs['end'] == g['job'].attrs['end']" whole.h5
expect 0 "$GRIDMILL" result pack plain.h5 -o again.h5 # as the job says
h5 "assert f['stages/data/outputs/model/data'].compression == 'gzip'" again.h5
[ -z "$(find . -name 'plain.h5.*')" ] || fail "a folder is left"

# Tasks that share their times are busy once together.
printf 'ranks: 1\nmatrix: {i: 1-20000}\nkernel: noop\n' >short.yaml
expect 0 "$GRIDMILL" run short.yaml -q
expect 0 "$GRIDMILL" result show short.h5 --json
h5 '
t = f["tasks"]
busy = ((t["end"][:] - t["start"][:]) / t["timed_with"][:]).sum()
said = json.load(open("out"))["stages"][0]["busy"]
assert t["timed_with"][:].max() > 1 and abs(said - busy) <= 1e-6 * busy, (said, busy)' short.h5

# npy of the only output needs no name.
printf 'ranks: 1\nmatrix: {i: 0-4}\nkernel: noop\nargs: {width: 8}\n' >noop.yaml
expect 0 "$GRIDMILL" run noop.yaml -q
expect 0 "$GRIDMILL" result export noop.h5 -o noop.npy
"$PYTHON" -c 'import numpy as np; a = np.load("noop.npy"); assert a.shape == (5, 8) and a[3, 0] == 3' || fail "npy"

# Usage: one sentence, exit 2; a file is there whole or not at all.
refused() # REGEX ARGS...
{
    local regex=$1
    shift
    expect 2 "$GRIDMILL" result "$@"
    says "$regex"
}
refused 'failed\?' failde mix.h5
refused 'one file, not 2' tasks mix.h5 first.h5

# What cannot be printed is a failure, a reader that went away is none; a closed standard output gives its
# number to no file of ours.
for what in show tasks failed 'export --stage say' hash 'diff mix.h5'; do
    # shellcheck disable=SC2086 # several words
    "$GRIDMILL" result $what mix.h5 >/dev/full 2>err
    rc=$?
    [ $rc -eq 3 ] || fail "$what on a full disk: exit $rc"
    grep -qx 'gridmill: standard output: No space left on device' err || fail "$what on a full disk: $(cat err)"
    # shellcheck disable=SC2086
    "$GRIDMILL" result $what mix.h5 2>err | true
    rc=${PIPESTATUS[0]}
    [ "$rc" -eq 0 ] && [ ! -s err ] || fail "$what into a closed pipe: exit $rc, $(cat err)"
done
"$GRIDMILL" result pack mix.h5 -o quiet.h5 >&- || fail "pack without standard output"
[ "$(hash_of quiet.h5)" = "$(hash_of mix.h5)" ] || fail "something was printed into the file"
expect 3 "$GRIDMILL" result export mix.h5 --format json -o /dev/full
says 'gridmill: /dev/full: No space left on device'

refused 'two files, not 1' diff mix.h5
refused 'show takes no --stage' show --stage train mix.h5
refused "did you mean 'train'" tasks --stage trian mix.h5
refused 'choose one by --stage \(train, score, say, after\)' export mix.h5
refused 'choose one by --stage' tasks --task 3 mix.h5
refused 'has 6 tasks, counted from 0' tasks --stage say --task 6 mix.h5
refused 'must be N or N-M' tasks --stage say --task 3-1 mix.h5
refused 'must be N or N-M' tasks --stage say --task x mix.h5
refused 'must be of done' tasks --status good mix.h5
refused 'must be csv, json or npy' export --format xlsx mix.h5
refused 'say what it is to be' export --stage say -o say.txt mix.h5
refused 'there are model, loss' export --stage train --value los mix.h5
refused 'name one output by --value' export --stage train -o x.npy mix.h5
refused '\(model, loss, ' export --stage train -o x.npy mix.h5
refused 'a command prints texts' export --stage say -o x.npy mix.h5
refused 'mix.h5: is an HDF5 file, and would be lost' export --stage say --format csv -o mix.h5 mix.h5
refused 'first.h5: is an HDF5 file' tasks -o first.h5 mix.h5
refused 'texts are no array' export --stage say --value stdout -o x.npy mix.h5
refused 'has the shape' export --stage score --value class -o x.npy mix.h5
refused 'a line for each of its elements' export --stage score --value class --value row mix.h5
refused 'must be a number' diff --tolerance x mix.h5 first.h5
refused 'one file already' pack mix.h5
refused 'is there already' pack mix.h5 -o plain.h5
refused 'must be gzip or none' pack mix.h5 -o new.h5 --compress zip
refused 'none.h5' pack none.h5
refused 'no/such.csv: No such file' export --stage say -o no/such.csv mix.h5
refused 'none.h5' tasks none.h5
if [ -c /dev/full ]; then
    "$GRIDMILL" result export --stage say mix.h5 2>err >/dev/full && fail "a full disk is no error"
    says 'standard output: No space left'
    expect 3 "$GRIDMILL" result export --stage say --format csv -o /dev/full mix.h5
    [ -c /dev/full ] || fail "a device was replaced"
fi
[ -z "$(find . -name '*.part' -o -name 'x.npy')" ] || fail "a part of a file stayed"
"$GRIDMILL" result tasks mix.h5 | head -n 1 >out || fail "a reader that went away"
exit 0
