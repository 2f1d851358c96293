#!/usr/bin/env bash
# A cluster on this machine: N hosts, each a network, mount and UTS namespace of its own, joined by
# a bridge, so that MPI and Slurm cross TCP between hosts with names of their own.
#
#   cluster.sh up N [--slurm] [--gpus K] [--with PID]
#                         hosts gn0, gn1, ... and a login host, "head"; --slurm: a real Slurm on
#                         them; --gpus K: K pretended GPUs a host for it; --with PID: taken down
#                         when that process has ended
#   cluster.sh down       ends all of it; safe to run twice
#   cluster.sh status     what is there; exit 0: up, 1: not
#   cluster.sh exec HOST COMMAND...    in the present folder, with the environment that `env` prints
#   cluster.sh env        that environment, for eval
#
# GRIDMILL_CLUSTER names the state folder (/tmp/gridmill-cluster-UID else); each folder is a cluster
# of its own, and clusters do not see each other. Exit codes: 1 a host failed after another stood, 2 usage
# or state, 77 not to be had here.
#
# Invariant: nothing outside the namespaces and the state folder changes. The bridge, the links and
# the addresses stand in the namespaces, which go with the last process in them; `down` ends those
# processes by their ids, which it finds through the holders' recorded ids and start times.
set -uo pipefail

dir=${GRIDMILL_CLUSTER:-/tmp/gridmill-cluster-$(id -u)}
self=$(realpath "$0")
net=192.0.2 # RFC 5737: for documentation, routed nowhere
most=200

say()
{
    echo "cluster: $*" >&2
}

refuse()
{
    say "$*"
    exit 2
}

# --- what runs: "NAME PID START" lines in $dir/pids; a sleeper a host holds its namespaces --------

start_of() # PID: its start time, which tells a reused id; nothing once it has ended
{
    local line
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return
    set -- ${line##*) }
    [ "$1" = Z ] || echo "${20}"
}

record() # NAME PID
{
    echo "$1 $2 $(start_of "$2")" >>"$dir/pids"
}

pid_of() # NAME: its process, if it lives
{
    local name pid start
    while read -r name pid start; do
        [ "$name" = "$1" ] && [ "$(start_of "$pid")" = "$start" ] && echo "$pid" && return
    done 2>/dev/null <"$dir/pids"
    return 1
}

is_up()
{
    pid_of head >/dev/null
}

hosts()
{
    [ ! -f "$dir/hosts" ] || cat "$dir/hosts"
}

# The sleepers that live, one a host.
holders()
{
    local name pid start
    while read -r name pid start; do
        case $name in head | gn*) ;; *) continue ;; esac
        [ -n "$start" ] && [ "$(start_of "$pid")" = "$start" ] && echo "$pid"
    done 2>/dev/null <"$dir/pids"
}

# Their networks, but not our own (one that has not made its namespaces yet is in it).
networks() # PID...
{
    local pid space
    for pid in "$@"; do
        space=$(readlink "/proc/$pid/ns/net") && [ "$space" != "$(readlink /proc/self/ns/net)" ] &&
            echo "$space"
    done | sort -u
}

# Every other process in them; the holders keep the names of the networks from being used again.
guests() # " NETWORK NETWORK ... " " HOLDER HOLDER ... "
{
    local pid space
    while read -r pid space; do
        [ -n "$space" ] || continue # a zombie's, or one that we may not look at
        case $1 in *" $space "*) ;; *) continue ;; esac
        case $2 in *" $pid "*) ;; *) echo "$pid" ;; esac
    done < <(find /proc/[0-9]*/ns/net -maxdepth 0 -printf '%p %l\n' 2>/dev/null |
        sed 's#^/proc/\([0-9]*\)/ns/net#\1#')
}

down()
{
    local held spaces pids watch i
    # The next cluster of this folder is not to end with this one's owner.
    watch=$(pid_of watch) && [ "$watch" != $$ ] && kill -- "-$watch" 2>/dev/null
    mapfile -t held < <(holders)
    spaces=" $(networks "${held[@]}" | tr '\n' ' ') "
    for i in $(seq 0 49); do # 2 s to end by themselves, 3 s more for what is born meanwhile
        mapfile -t pids < <(guests "$spaces" " ${held[*]} ")
        [ ${#pids[@]} -gt 0 ] || break
        [ "$i" -ne 0 ] || kill "${pids[@]}" 2>/dev/null
        [ "$i" -lt 20 ] || kill -9 "${pids[@]}" 2>/dev/null
        sleep 0.1
    done
    [ ${#pids[@]} -eq 0 ] || say "still there: ${pids[*]}"
    [ ${#held[@]} -eq 0 ] || kill -9 "${held[@]}" 2>/dev/null
    for i in $(seq 50); do
        [ -n "$(holders)" ] || break
        sleep 0.05
    done
    [ ! -f "$dir/pids" ] || rm -rf "$dir"
}

# --- up -------------------------------------------------------------------------------------------

absent=missing # until a host stands: what follows is a failure then

missing() # TEXT: not to be had here
{
    say "not to be had here: $*"
    down
    exit 77
}

broken() # TEXT: one host could be had, this one could not
{
    say "$*"
    down
    exit 1
}

need() # PACKAGE PROGRAM...
{
    local package=$1 program
    shift
    for program in "$@"; do
        command -v "$program" >/dev/null ||
            missing "no $program (apt-get install $package)"
    done
}

# A process in the background that outlives this script; its id is $!. Signals are as a daemon's, not
# ignored as a shell's background has them: ranks would inherit that.
spawn() # LOG COMMAND...
{
    local log=$1
    shift
    setsid env --default-signal=INT,QUIT "$@" >>"$log" 2>&1 </dev/null 9>&- &
}

enter() # PID COMMAND...
{
    local pid=$1
    shift
    nsenter -t "$pid" --net --mount --uts -- "$@"
}

# It has namespaces of its own, all of them. What enters it a moment too early would name, mount
# and address this machine.
apart() # PID
{
    local kind
    for kind in net mnt uts; do
        [ -e "/proc/$1/ns/$kind" ] && ! [ "/proc/$1/ns/$kind" -ef "/proc/self/ns/$kind" ] || return
    done
}

make_host() # NAME
{
    local pid until=$((SECONDS + 60)) comm=
    mkdir -p "$dir/var-tmp/$1"
    spawn "$dir/log/$1" unshare --net --mount --uts sleep infinity
    pid=$!
    record "$1" "$pid"
    # It sleeps once its namespaces are made, which takes seconds where many processes want the CPUs.
    until [ "$comm" = sleep ] && apart "$pid"; do
        pid_of "$1" >/dev/null && [ $SECONDS -lt $until ] ||
            $absent "no host of its own: $(tail -n 1 "$dir/log/$1")"
        sleep 0.02
        { read -r comm <"/proc/$pid/comm"; } 2>/dev/null
    done
    enter "$pid" sh -ec '
        hostname "$1"
        mount --bind "$2/var-tmp/$1" /var/tmp
        mount --bind "$2/etc-hosts" /etc/hosts
        [ ! -f /etc/resolv.conf ] || mount --bind "$2/etc-resolv" /etc/resolv.conf
        mount -t tmpfs -o mode=1777 tmpfs /dev/shm
        ip link set lo up' sh "$1" "$dir" >>"$dir/log/$1" 2>&1 ||
        $absent "no host of its own: $(tail -n 1 "$dir/log/$1")"
}

make_hosts() # N
{
    local i n=$1 head
    seq -f 'gn%.0f' 0 $((n - 1)) >"$dir/hosts"
    {
        echo "127.0.0.1 localhost"
        echo "$net.254 head"
        for ((i = 0; i < n; i++)); do
            echo "$net.$((i + 1)) gn$i"
        done
    } >"$dir/etc-hosts"
    # No server answers here: a name that is not in etc-hosts is refused at once.
    echo "nameserver 127.0.0.1" >"$dir/etc-resolv"
    make_host head
    head=$(pid_of head) || missing "no namespaces: $(tail -n 1 "$dir/log/head")"
    enter "$head" sh -ec "
        ip link add br0 type bridge
        ip address add $net.254/24 dev br0
        ip link set br0 up
        ip route add default dev br0" >>"$dir/log/head" 2>&1 ||
        missing "no bridge: $(tail -n 1 "$dir/log/head")"
    for ((i = 0; i < n; i++)); do
        make_host "gn$i"
        link_host "$head" "gn$i" "$net.$((i + 1))"
        absent=broken
    done
}

link_host() # HEAD-PID NAME ADDRESS
{
    local pid
    pid=$(pid_of "$2") || $absent "$2: $(tail -n 1 "$dir/log/$2")"
    {
        enter "$1" sh -ec "
            ip link add $2 type veth peer name eth0 netns $pid
            ip link set $2 master br0
            ip link set $2 up" &&
            enter "$pid" sh -ec "
            ip address add $3/24 dev eth0
            ip link set eth0 up
            ip route add default via $net.254 dev eth0"
    } >>"$dir/log/$2" 2>&1 || $absent "no veth: $(tail -n 1 "$dir/log/$2")"
}

# What mpirun starts its daemons with, in the place of ssh: HOST WORD...
write_agent()
{
    cat >"$dir/rsh" <<END
#!/bin/sh
host=\$1
shift
GRIDMILL_CLUSTER='$dir' exec '$self' exec "\$host" sh -c "\$*"
END
    chmod 755 "$dir/rsh"
    ln -s rsh "$dir/ssh"
}

write_env() # N SLURM
{
    {
        echo "GRIDMILL_CLUSTER=$dir"
        echo "GRIDMILL_CLUSTER_HOSTS=$(paste -sd, "$dir/hosts")"
        echo "OMPI_MCA_plm_rsh_agent=$dir/rsh"
        echo "OMPI_MCA_oob_tcp_if_include=$net.0/24"
        echo "OMPI_MCA_btl_tcp_if_include=$net.0/24"
        echo "OMPI_MCA_mpi_yield_when_idle=1" # hosts share the cores, and mpirun does not know
        echo "OMPI_ALLOW_RUN_AS_ROOT=1"
        echo "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"
        [ "$2" = no ] || echo "SLURM_CONF=$dir/slurm/slurm.conf"
        [ "$2" = no ] || echo "SLURM_PMIX_FENCE=ring" # the tree is unsafe: docs/design/hosts.md
    } >"$dir/env"
}

# --- Slurm on it ----------------------------------------------------------------------------------

write_slurm() # N GPUS
{
    local to=$dir/slurm shape memory i gpus=
    shape=$(slurmd -C | grep -oE 'CPUs=.* RealMemory=[0-9]+' | sed 's/ RealMemory=.*//')
    memory=$(slurmd -C | sed -nE 's/.*RealMemory=([0-9]+).*/\1/p')
    mkdir -p "$to/state" "$to/munge" "$to/spool"
    chmod 755 "$to/munge"
    (umask 077 && head -c 1024 /dev/urandom >"$to/munge/key")
    : >"$to/gres.conf"
    for ((i = 0; i < $2; i++)); do
        mknod "$to/gpu$i" c 1 3 || missing "no device files in $to"
    done
    if [ "$2" -gt 0 ]; then
        gpus="Gres=gpu:$2"
        echo "NodeName=gn[0-$(($1 - 1))] Name=gpu File=$to/gpu[0-$(($2 - 1))]" >"$to/gres.conf"
    fi
    cat >"$to/slurm.conf" <<END
ClusterName=gridmill
SlurmctldHost=head($net.254)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$to/munge/socket
CredType=cred/munge
SlurmctldPidFile=$to/slurmctld.pid
SlurmdPidFile=$to/slurmd-%n.pid
SlurmctldLogFile=$to/slurmctld.log
SlurmdLogFile=$to/slurmd-%n.log
StateSaveLocation=$to/state
SlurmdSpoolDir=$to/spool/%n
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
GresTypes=gpu
NodeName=gn[0-$(($1 - 1))] NodeAddr=$net.[1-$1] $shape RealMemory=$((memory / $1)) $gpus
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
    echo "CgroupAutomount=no" >"$to/cgroup.conf"
    # Each host has a /var/tmp of its own: two slurmds in one would collide.
    echo "PMIxCliTmpDirBase=/var/tmp" >"$to/mpi.conf"
}

spawn_on() # HOST NAME COMMAND...
{
    local host=$1 name=$2
    shift 2
    spawn "$dir/log/$name" nsenter -t "$(pid_of "$host")" --net --mount --uts -- \
        env TMPDIR=/var/tmp SLURM_CONF="$dir/slurm/slurm.conf" "$@"
    record "$name" $!
}

await() # TEXT NAME COMMAND...: until it is true, 30 s at most
{
    local text=$1 name=$2 i
    shift 2
    for i in $(seq 300); do
        "$@" && return
        pid_of "$name" >/dev/null || break
        sleep 0.1
    done
    tail -n 10 "$dir/log/$name" "$dir"/slurm/*.log >&2
    missing "$text"
}

idle() # N: so many hosts are ready
{
    [ "$(SLURM_CONF=$dir/slurm/slurm.conf enter "$(pid_of head)" sinfo -h -N -o '%N %T' \
        2>/dev/null | grep -cw idle)" -eq "$1" ]
}

start_slurm() # N GPUS
{
    local host to=$dir/slurm
    write_slurm "$1" "$2"
    spawn_on head munged munged --foreground --force --key-file="$to/munge/key" \
        --socket="$to/munge/socket" --pid-file="$to/munge/pid" \
        --log-file="$to/munge/munged.log" --seed-file="$to/munge/seed"
    await "munged made no socket" munged test -S "$to/munge/socket"
    spawn_on head slurmctld slurmctld -D -c
    for host in $(hosts); do
        mkdir "$to/spool/$host"
        spawn_on "$host" "slurmd-$host" slurmd -D -N "$host"
    done
    await "the hosts did not become idle" slurmctld idle "$1"
}

# --- the words ------------------------------------------------------------------------------------

number() # WHAT WORD MOST
{
    [[ $2 =~ ^[0-9]{1,9}$ ]] && [ "$((10#$2))" -le "$3" ] ||
        refuse "$1 is a number up to $3, not '$2'"
}

up() # N OPTIONS...
{
    local n=${1:-} slurm=no gpus=0 with=
    number "the count of hosts" "$n" $most
    [ "$n" -gt 0 ] || refuse "a cluster has one host at least"
    shift
    while [ $# -gt 0 ]; do
        case $1 in
            --slurm) slurm=yes ;;
            --gpus) number "--gpus" "${2:-}" 16 && gpus=$2 && shift ;;
            --with) number "--with" "${2:-}" 999999999 && with=$2 && shift ;;
            *) refuse "up does not know '$1'" ;;
        esac
        shift
    done
    case $dir/ in
        [!/]*) refuse "$dir: the state folder is an absolute path" ;;
        /var/tmp/* | /dev/shm/* | *[!A-Za-z0-9./_-]*)
            refuse "$dir: a host would not see this folder, or not its name; GRIDMILL_CLUSTER names another" ;;
    esac
    if is_up; then
        [ "$(cat "$dir/what")" = "$n $slurm $gpus" ] &&
            say "is up already: $(status | head -n 1)" && return
        refuse "is up already, as another: $(status | head -n 1); cluster.sh down ends it"
    fi
    [ "$(id -u)" -eq 0 ] || { say "not to be had here: namespaces need root"; exit 77; }
    [ ! -e "$dir" ] || [ -f "$dir/pids" ] || refuse "$dir is there and no cluster's"
    down # what a killed one left
    mkdir -p "$dir/log" && chmod 755 "$dir" && : >"$dir/pids" || exit 2
    exec 9>"$dir/lock"
    flock -n 9 || refuse "$dir: another 'up' is at work"
    trap 'down; exit 130' INT TERM HUP
    need 'util-linux findutils' unshare nsenter setsid flock find
    need iproute2 ip
    [ $slurm = no ] || need "slurm-wlm munge" munged slurmctld slurmd sinfo srun
    echo "$n $slurm $gpus" >"$dir/what"
    make_hosts "$n"
    write_agent
    write_env "$n" $slurm
    [ $slurm = no ] || start_slurm "$n" "$gpus"
    if [ -n "$with" ]; then
        spawn "$dir/log/watch" sh -c "tail --pid=$with -f /dev/null; exec '$self' down"
        record watch $!
    fi
    trap - INT TERM HUP
    status
}

status()
{
    local n slurm gpus host
    is_up || { echo "no cluster in $dir"; return 1; }
    read -r n slurm gpus <"$dir/what"
    echo "$n hosts in $dir, Slurm: $slurm"
    for host in head $(hosts); do
        printf '  %-6s %-12s %s\n' "$host" "$(awk -v h="$host" '$2 == h { print $1 }' \
            "$dir/etc-hosts")" "$(pid_of "$host" || echo "is gone: cluster.sh down, then up")"
    done
}

run() # HOST COMMAND...
{
    local pid host=${1:-} settings
    [ $# -ge 2 ] || refuse "exec HOST COMMAND..."
    shift
    is_up || refuse "no cluster in $dir: cluster.sh up N starts one"
    case " head $(hosts | tr '\n' ' ') " in
        *" $host "*) ;;
        *) refuse "no host '$host': there are head $(hosts | tr '\n' ' ')" ;;
    esac
    pid=$(pid_of "$host") || refuse "$host is gone: cluster.sh down, then up"
    mapfile -t settings <"$dir/env"
    exec nsenter -t "$pid" --net --mount --uts -- \
        env -C "$PWD" TMPDIR=/var/tmp "${settings[@]}" "$@"
}

word=${1:-}
[ $# -eq 0 ] || shift
case $word in
    up) up "$@" ;;
    down) down ;;
    status) status ;;
    exec) run "$@" ;;
    env)
        is_up || refuse "no cluster in $dir: cluster.sh up N starts one"
        sed "s/=\(.*\)/='\1'/; s/^/export /" "$dir/env" ;;
    -h | --help) sed -n '2,18s/^# \{0,1\}//p' "$self" ;;
    *) refuse "up N | down | status | exec HOST COMMAND... | env (--help tells more)" ;;
esac
