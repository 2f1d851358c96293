# A rank that is killed while it runs commands: what these had started ends, too, while the job goes
# on; commands of other ranks stay. A stopped rank's commands end when it is given up.
. "$(dirname "$0")/lib.sh"

children()
{
    cat /proc/"$1"/task/*/children 2>/dev/null
}

lives() # PID
{
    grep -qsE '^State:.[^ZX]' "/proc/$1/status"
}

# Each of the first three commands has a child that would sleep on; those after `again` is there end
# at once.
cat >job.yaml <<'YAML'
ranks: 3
oversubscribe: true
results: job.h5
tasks:
  - name: work
    matrix: {x: 1-6}
    command:
      - sh
      - -c
      - |
        [ -e again ] && exit 0
        sleep 300 & echo "$PPID $!" >said.${x}
        while [ ! -e again ]; do sleep 0.1; done
        kill $!
YAML

lost_by() # SIGNAL SECONDS: to rank 1; what its command started is gone so soon
{
    local i left child ranks pid
    rm -rf again said.* job.h5*
    "$GRIDMILL" run job.yaml >out 2>err &
    pid=$!
    at_end=("kill $pid")
    for i in $(seq 200); do
        [ "$(cat said.* 2>/dev/null | wc -l)" -eq 3 ] && break
        sleep 0.05
    done
    read -r -a ranks <<<"$(children "$(children $pid | cut -d' ' -f1)")"
    [ "${#ranks[@]}" -eq 3 ] || fail "not 3 ranks: ${ranks[*]}"
    left=$(cat said.* | sed -n "s/^${ranks[1]} //p")
    [ -n "$left" ] || fail "no command of rank 1 (${ranks[1]}): $(cat said.*)"
    kill "-$1" "${ranks[1]}"
    for i in $(seq $(($2 * 10))); do
        lives "$left" || break
        sleep 0.1
    done
    lives "$left" && fail "$1: $left, of a command of the lost rank, lives on"
    for child in $(cat said.* | sed "/^${ranks[1]} /d; s/.* //"); do
        lives "$child" || fail "$1: $child, of a living rank's command, was ended, too"
    done
    touch again
    [ "$1" = KILL ] || kill -CONT "${ranks[1]}"
    wait $pid || fail "$1: exit code $?"
    at_end=()
    says 'rank 1 .*is lost'
    h5 "assert (f['tasks/status'][...] == 1).all()" job.h5
}

lost_by KILL 2
lost_by STOP 8

# The only rank of a host: nobody is left there but its guard. Under mpirun, which knows nothing of
# commands; the guard is gone with the ranks, also where all went well.
guards()
{
    local p n=0
    for p in $(grep -ls '^gridmill-guard$' /proc/[0-9]*/comm | cut -d/ -f3); do
        [ "$(readlink "/proc/$p/cwd")" = "$work" ] && lives "$p" && n=$((n + 1))
    done
    echo "$n"
}

gone() # PID...: all of them, and every guard, within 5 s
{
    local i p left
    for i in $(seq 50); do
        left=$(guards)
        for p in "$@"; do
            lives "$p" && left="$left $p"
        done
        [ "$left" = 0 ] && return
        sleep 0.1
    done
    fail "still there: guards, processes: $left"
}

for n in 1 2; do
    rm -rf again said.* job.h5*
    "${MPIRUN[@]}" -n $n "$RUNNER" job.yaml --set ranks=$n >out 2>err &
    pid=$!
    at_end=("kill $pid")
    for i in $(seq 200); do
        [ "$(cat said.* 2>/dev/null | wc -l)" -eq $n ] && break
        sleep 0.05
    done
    [ "$(guards)" -eq 1 ] || fail "$(guards) guards for $n ranks"
    # shellcheck disable=SC2046
    kill -KILL $(cut -d' ' -f1 said.*)
    at_end=()
    # shellcheck disable=SC2046
    gone $(cut -d' ' -f2 said.*)
    wait $pid && fail "mpirun is content"
done
rm -rf said.* job.h5*
touch again
expect 0 "${MPIRUN[@]}" -n 2 "$RUNNER" job.yaml --set ranks=2 -q
gone
exit 0
