# Ranks that are lost while the others go on: killed, crashed by their kernel, stopped and back
# again, stalled on a slow file system. Every task is done once, in the right place, whatever
# happened to its rank; the seed of the random kills is printed (GRIDMILL_TEST_SEED), and there are
# GRIDMILL_TEST_KILLS of them.
. "$(dirname "$0")/lib.sh"
: "${GRIDMILL_PLUGINS:?the folder of the kernel and the library}"
rounds=${GRIDMILL_TEST_KILLS:-2}
stop=${GRIDMILL_TEST_STOP:-4} stall=${GRIDMILL_TEST_STALL:-4} # s; longer than a rank is waited for
: "${GRIDMILL_TEST_SEED:=$((SECONDS + $$))}"
echo "seed: $GRIDMILL_TEST_SEED"
# A sanitizer's library wants to be the first.
first=$(ldd "$RUNNER" | awk '/lib[at]san/ { print $3 }')

job() # TASKS SECONDS [LINE...]: further lines of the stage
{
    local n=$1 seconds=$2 line
    shift 2
    cat >job.yaml <<YAML
ranks: 3
oversubscribe: true
results: job.h5
tasks:
  - name: work
    matrix: {x: 1-$n}
    kernel: ./crash.so#test.crash
    args: {x: "\${x}", seconds: $seconds, log: $work/log${ARGS-}}
YAML
    for line in "$@"; do
        echo "    $line" >>job.yaml
    done
}

start() # [VARIABLE=VALUE...]: the run in the background; $pid
{
    rm -rf job.h5* job.summary.json log
    env "$@" "$GRIDMILL" run job.yaml >out 2>err &
    pid=$!
}

children()
{
    cat /proc/"$1"/task/*/children 2>/dev/null
}

tasks_run() # at least so many
{
    local i
    for i in $(seq 1500); do
        [ -e log ] && [ "$(wc -l <log)" -ge "$1" ] && return
        sleep 0.02
    done
    fail "no $1 tasks within 30 s"
}

find_ranks()
{
    local launcher
    launcher=$(children "$pid" | cut -d' ' -f1)
    read -r -a ranks <<<"$(children "$launcher")"
    [ "${#ranks[@]}" -eq 3 ] || fail "not 3 ranks: ${ranks[*]}"
}

ends() # CODE SECONDS
{
    local i
    for i in $(seq $(($2 * 10))); do
        grep -qsE '^State:.[^ZX]' /proc/$pid/status || break
        sleep 0.1
    done
    grep -qsE '^State:.[^ZX]' /proc/$pid/status && fail "$2 s on, it runs"
    wait $pid
    local rc=$?
    [ "$rc" -eq "$1" ] || fail "exit $rc instead of $1"
}

# Each of the N tasks is done, its value is right, and its last attempt is the only good one.
all_done() # N
{
    h5 "
n = int(sys.argv[2])
status = f['tasks/status'][...]
assert len(status) == n, len(status)
assert (status == 1).all(), status
x = f['stages/work/outputs/square'][...].ravel()
assert (x == np.arange(1, n + 1) ** 2).all(), x" job.h5 "$1"
}

# RANK WHY: nobody else was, and the results and the summary tell.
only_lost()
{
    h5 "
rank, why = int(sys.argv[2]), sys.argv[3]
lost, said = f['ranks/lost'][...], [w.decode() for w in f['ranks/lost_why'][...]]
assert np.flatnonzero(lost).tolist() == [rank], lost
assert abs(lost[rank] - f['tasks/end'][...].max()) < 300, lost
assert why in said[rank] and not any(said[:rank] + said[rank + 1:]), said
ranks = json.load(open('job.summary.json'))['ranks']
assert [r['why'] or '' for r in ranks] == said, ranks
assert [r['lost'] or 0 for r in ranks] == lost.tolist(), ranks" job.h5 "$1" "$2"
}

random_kills()
{
    local k victim at clean
    RANDOM=$GRIDMILL_TEST_SEED # a subshell starts its own
    echo "-- killed at random: the last tasks wait, so that none comes too late"
    ARGS=", hold: 140, gate: $work/gate" job 150 0.02
    start
    ends 0 30
    clean=$(hash_of job.h5)
    for ((k = 0; k < rounds; k++)); do
        victim=$((1 + RANDOM % 2)) at=$((RANDOM % 130))
        touch gate
        start
        tasks_run $((at + 1))
        find_ranks
        kill -9 "${ranks[$victim]}"
        rm gate
        ends 0 30
        says "rank $victim .*is lost: pid ${ranks[$victim]} ended.*; its tasks go to the others"
        says '1 of 3 ranks was lost'
        all_done 150
        only_lost "$victim" "pid ${ranks[$victim]} ended"
        [ "$(hash_of job.h5)" = "$clean" ] || fail "other results than a clean run"
        echo "rank $victim killed after $at tasks: $(sort log | uniq -d | wc -l) ran twice"
    done

    echo "-- two of three"
    touch gate
    start
    tasks_run 20
    find_ranks
    kill -9 "${ranks[1]}" "${ranks[2]}"
    rm gate
    ends 0 30
    all_done 150
    [ "$(hash_of job.h5)" = "$clean" ] || fail "other results than a clean run"
}

in_groups_and_by_crashes()
{
    echo "-- killed in a group"
    job 60 0.05 "group: 2"
    start
    tasks_run 10
    find_ranks
    kill -9 "${ranks[1]}"
    ends 0 30
    all_done 60

    echo "-- a kernel that crashes once"
    ARGS=", crash: 40, once: $work/flag" job 100 0.01
    touch flag
    start
    ends 0 30
    all_done 100
    [ "$(grep -cx 40 log)" -eq 1 ] || fail "task 40 ran $(grep -cx 40 log) times to its end"

    echo "-- poison: it crashes whoever runs it"
    ARGS=", crash: 40" job 100 0.01 "crash-limit: 2"
    start
    ends 1 40
    h5 "
status = f['tasks/status'][...]
bad = np.flatnonzero(status != 1).tolist()
assert bad == [39] and status[39] == 2, status
assert f['tasks/reason'][39] == 7 and f['tasks/attempts'][39] >= 1
lost = f['attempts/task'][...][f['attempts/reason'][...] == 6]
assert (lost == 39).all(), lost" job.h5
    says 'work\[39\]: rank [0-9]+ was lost while it ran'
}

by_poison_alone()
{
    echo "-- poison for a job of one rank: nobody else is there to tell of it"
    ARGS=", crash: 5" job 20 0.01 "crash-limit: 2"
    sed -i 's/^ranks: 3/ranks: 1/' job.yaml
    start
    ends 1 40
    h5 "
status, reason = f['tasks/status'][...], f['tasks/reason'][...]
assert np.flatnonzero(status != 1).tolist() == [4] and reason[4] == 7, (status, reason)
assert f['tasks/attempts'][4] == 2, f['tasks/attempts'][4]
assert f['attempts/reason'][...][f['attempts/task'][...] == 4].tolist() == [6, 7]" job.h5
    only_lost 0 "ended by SIGSEGV"
    says 'rank 0 .*is lost: pid [0-9]+ ended by SIGSEGV; the rest is launched again \(2 of 3\)'

    [ "$CORES" -ge 2 ] || return 0
    echo "-- poison among commands that run at once: whoever stood beside it is not taken for it"
    cat >job.yaml <<YAML
ranks: 1
per-rank: {cores: 2}
results: job.h5
tasks:
  - name: work
    matrix: {x: 1-24}
    cores: 1
    command: [sh, -c, "sleep 0.1; test \${x} -ne 9 || { sleep 0.15; kill -SEGV \$PPID; }"]
    crash-limit: 2
YAML
    rm -rf job.h5*
    "$GRIDMILL" run job.yaml >out 2>err &
    pid=$!
    ends 1 60
    h5 "
status, reason = f['tasks/status'][...], f['tasks/reason'][...]
assert np.flatnonzero(status != 1).tolist() == [8] and reason[8] == 7, (status, reason)
assert f['tasks/attempts'][8] == 2, f['tasks/attempts'][8]" job.h5
}

stopped()
{
    echo "-- stopped for $stop s, and back"
    job $((200 + 50 * stop)) 0.05
    start
    tasks_run 40
    find_ranks
    kill -STOP "${ranks[2]}"
    sleep "$stop"
    kill -CONT "${ranks[2]}"
    ends 0 60
    all_done $((200 + 50 * stop))
    says 'rank 2 .*is lost'
    only_lost 2 "no sign of life for 3 s"
}

root_stopped()
{
    echo "-- rank 0 stopped: it is waited for"
    job 100 0.05
    start
    tasks_run 40
    find_ranks
    kill -STOP "${ranks[0]}"
    sleep "$stop"
    kill -CONT "${ranks[0]}"
    ends 0 60
    all_done 100
    says_not 'lost'

    echo "-- another launch has taken over: this one ends, though nobody tells it"
    job 2000 0.02
    start
    tasks_run 40
    mkdir -p job.h5.gm/fences
    for k in 0 1 2; do
        echo "commits 100000" >job.h5.gm/fences/rank-00000$k.txt
    done
    ends 5 10
    says 'its shard was sealed'
}

stalled()
{
    echo "-- a writer that stalls is no loss"
    job 150 0.02
    start LD_PRELOAD="$first $GRIDMILL_PLUGINS/stall.so" STALL_FILE="$work/stall" STALL_NAME=rank-000001
    tasks_run 40
    touch stall
    sleep "$stall"
    grep -qsE '^State:.[^ZX]' /proc/$pid/status || fail "it ended, though a shard is not written"
    rm stall
    ends 0 60
    all_done 150
    says_not 'lost'
    [ "$(sort log | uniq -d | wc -l)" -eq 0 ] || fail "tasks ran twice"

    echo "-- a lock that cannot be asked for keeps nobody from computing"
    job 400 0.02
    start LD_PRELOAD="$first $GRIDMILL_PLUGINS/stall.so" STALL_FILE="$work/stall" STALL_NAME=job.h5.gm/lock
    tasks_run 20
    touch stall
    sleep 0.5
    before=$(wc -l <log)
    tasks_run $((before + 60))
    rm stall
    ends 0 60
    all_done 400
    says_not 'lost'
}

# PLACE: rank $DIE_RANK, or 1, dies there.
dies_at()
{
    job 60 0.01
    touch die
    start LD_PRELOAD="$first $GRIDMILL_PLUGINS/die.so" DIE_AT="$1" DIE_RANK="${DIE_RANK-1}" DIE_FILE="$work/die"
    ends 0 60
    [ ! -e die ] || fail "nobody came to $1"
    all_done 60
}

at_the_end()
{
    echo "-- killed when its shard is closed and others' are not"
    dies_at parting
    says "rank 1 .*is lost"

    echo "-- killed as it packs with others, and in the last call that waits for all"
    dies_at pack
    dies_at end
}

at_the_start()
{
    echo "-- killed before there is a watch: the ranks share memory, those that pack join"
    for DIE_RANK in 0 1; do
        for place in share join joined; do
            dies_at $place
            says 'a rank was lost before the first task: nothing was begun; the rest is launched again \(1 of 3\)'
        done
    done
}

before_part()
{
    cp "$GRIDMILL_PLUGINS"/crash.so .
}

lanes random_kills "by_poison_alone stopped" "root_stopped stalled" "at_the_end at_the_start" \
    in_groups_and_by_crashes
exit 0
