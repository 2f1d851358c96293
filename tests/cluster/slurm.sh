# A Slurm of one node on this machine, for the length of a test: its own munged with its own key,
# slurmctld and slurmd with their configuration, sockets, logs and state in $work, on free ports of
# the loopback. Nothing of an installed Slurm is read or touched. Source tests/cli/lib.sh first.
#
#   slurm_start    or a visible skip with the reason
#   slurm_stop     is called at the end of the test, also when it fails

slurm_pids=()

slurm_need() # PROGRAM...
{
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || skip "no $program: apt-get install slurm-wlm munge"
    done
}

slurm_log() # the end of what the daemons said
{
    tail -n 15 "$work"/slurm/*.log 2>/dev/null
}

slurm_free_ports()
{
    "$PYTHON" -c '
import socket
held = [socket.socket() for _ in range(2)]
for s in held:
    s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in held))'
}

slurm_configure()
{
    local dir=$work/slurm host ports
    host=$(hostname -s)
    read -r -a ports < <(slurm_free_ports)
    mkdir -p "$dir/state" "$dir/spool" "$dir/pmix" "$dir/munge"
    chmod 755 "$work" "$dir" "$dir/munge"
    head -c 1024 /dev/urandom >"$dir/munge/key"
    chmod 600 "$dir/munge/key"
    cat >"$dir/slurm.conf" <<END
ClusterName=gridmill-test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
SlurmctldPort=${ports[0]}
SlurmdPort=${ports[1]}
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SchedulerType=sched/backfill
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
MailProg=/bin/true
NodeName=$host NodeAddr=127.0.0.1 CPUs=$CORES RealMemory=1000 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
    echo "CgroupAutomount=no" >"$dir/cgroup.conf"
    printf 'PMIxCliTmpDirBase=%s\n' "$dir/pmix" >"$dir/mpi.conf"
    export SLURM_CONF=$dir/slurm.conf
}

slurm_spawn() # COMMAND...: a daemon in the foreground, its pid kept
{
    "$@" >>"$work/slurm/$(basename "$1").log" 2>&1 </dev/null &
    slurm_pids+=($!)
}

slurm_start()
{
    [ "$(id -u)" -eq 0 ] || skip "a Slurm of one's own needs root"
    slurm_need munged slurmctld slurmd sbatch srun sinfo
    at_end+=(slurm_stop)
    slurm_configure
    local dir=$work/slurm
    slurm_spawn munged --foreground --force --key-file="$dir/munge/key" \
        --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
        --log-file="$dir/munge/munged.log" --seed-file="$dir/munge/seed"
    slurm_wait "munged made no socket" test -S "$dir/munge/socket"
    slurm_spawn slurmctld -D -c -f "$SLURM_CONF"
    slurm_spawn slurmd -D -f "$SLURM_CONF"
    slurm_wait "the node did not become idle" slurm_idle
    # Does an MPI program start here at all? If not, it is Slurm's fault, not ours.
    timeout 60 srun --mpi=pmix -n 2 --overcommit true >"$work/out" 2>"$work/err" ||
        skip "srun --mpi=pmix does not work here: $(head -n 1 "$work/err")"
}

slurm_idle()
{
    sinfo -h -o %T 2>/dev/null | grep -qx idle
}

slurm_wait() # TEXT COMMAND...: until it is true, 30 s at most
{
    local text=$1 i
    shift
    for i in $(seq 150); do
        "$@" && return
        sleep 0.2
    done
    slurm_log
    skip "$text"
}

slurm_stop()
{
    local pid i
    # Steps first: slurmd ends them, and slurmctld tells it to.
    scancel --state=RUNNING --user=root >/dev/null 2>&1
    for ((i = ${#slurm_pids[@]} - 1; i >= 0; i--)); do
        pid=${slurm_pids[i]}
        kill "$pid" 2>/dev/null
        for _ in $(seq 50); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -9 "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
}

# The job's state once it is over, "COMPLETED 0:0" or alike.
slurm_run() # SBATCH-ARGUMENTS...
{
    local id state
    id=$(sbatch --parsable "$@" 2>"$work/err") || fail "sbatch: $(cat "$work/err")"
    for _ in $(seq 600); do
        state=$(scontrol show job "$id" 2>/dev/null |
            sed -nE 's/.*JobState=([A-Z_]+).*/\1/p; s/.*ExitCode=([0-9:]+).*/\1/p' | tr '\n' ' ')
        case $state in
            PENDING* | RUNNING* | COMPLETING* | CONFIGURING*) sleep 0.2 ;;
            *) echo "$state"; return ;;
        esac
    done
    echo "still $state"
}
