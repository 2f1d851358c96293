#!/usr/bin/env bash
# Every real machine that hwloc, Flux, mpibind and PRRTE keep as XML loads, or is refused with the
# reason that its folder's README tells, and has as many packages, NUMA nodes, cores, PUs and
# GPUs as hwloc's own programs say. Where we count otherwise, the table says why.
#
#   topo_xml.sh PROGRAM    prints our counts (tests/unit/topo_counts.c)
. "$(dirname "$0")/lib.sh"
counts=${1:?the program that counts}
[ -n "${GRIDMILL_TEST_DATA-}" ] || skip "GRIDMILL_TEST_DATA is not set"
command -v hwloc-info >/dev/null && command -v lstopo-no-graphics >/dev/null ||
    skip "hwloc's programs (Debian: hwloc-nox) are not here"

# GPUs: hwloc has every PCI device of class 03 (display) and 12 (accelerator); we leave out the
# chips that draw a server's console. FILE:HOW MANY:WHICH
consoles='
192em64t-12gr2n8c2t.xml:1:Matrox G200eW
24em64t-2n6c2t-pci.xml:1:ATI ES1000
64intel64-3g2n+2n-irregulargroups+pci.xml:1:Matrox G200eW
coral-lassen.xml:1:ASPEED AST2500
epyc-corona.xml:1:ASPEED AST2500
flux-sierra.xml:1:ASPEED AST2500
mpibind-cts1-pascal.xml:1:ASPEED AST2400
turin-4gpu.xml:1:ASPEED AST2600'
# Cores: where hwloc tells none, each PU is one.
coreless='8intel64-4n2t-memattrs.xml'

number() # TYPE <summary: how many of it
{
    sed -nE "s/.*depth -?[0-9]+: +([0-9]+) $1 .*/\1/p" | head -n 1
}

hwloc_says() # FILE: the same line from hwloc's programs
{
    local name=${1##*/} cores chips gpus
    hwloc-info -i "$1" >summary 2>/dev/null || return 1
    lstopo-no-graphics -i "$1" --of console -v --whole-io 2>/dev/null >tree
    gpus=$(grep -cE 'PCI.* class=(03|12)[0-9a-f]{2}\(' tree)
    chips=$(printf '%s\n' "$consoles" | sed -n "s/^$name:\([0-9]*\):.*/\1/p")
    cores=$(number Core <summary)
    if [ "$name" = "$coreless" ]; then
        [ -z "$cores" ] || fail "$name: hwloc tells cores, so it has no place in the table"
        cores=$(number PU <summary)
    fi
    echo "packages $(n=$(number Package <summary); echo "${n:-0}"), NUMA $(number NUMANode <summary)," \
        "cores $cores, PUs $(number PU <summary), GPUs $((gpus - ${chips:-0}))"
}

files=0
gpus=0
for source in "$GRIDMILL_TEST_DATA"/{hwloc-xml,prrte-maps,mpibind-maps}/*.xml*; do
    file=$work/$(basename "${source%.gz}")
    case $source in
        *.gz) gunzip -c "$source" >"$file" ;;
        *) cp "$source" "$file" ;;
    esac
    files=$((files + 1))
    case $file in
        */v3format-*)
            expect 2 "$counts" "$file"
            says 'hwloc 3 wrote this XML.*--export-xml-flags v2'
            hwloc_says "$file" && fail "$file: hwloc 2 reads it after all"
            continue
            ;;
    esac
    theirs=$(hwloc_says "$file") || fail "$file: hwloc-info refuses it"
    expect 0 "$counts" "$file"
    [ "$(cat out)" = "$theirs" ] || fail "${file##*/}: ours: $(cat out); hwloc's: $theirs"
    gpus=$((gpus + ${theirs##* }))
done
[ "$files" -ge 20 ] || fail "only $files files"
[ "$gpus" -ge 25 ] || fail "only $gpus GPUs in all: is lstopo's output another?"
echo "$files machines, $gpus GPUs"
