/* See digest.h. 128-bit FNV-1a over the lines of the XML, blanks at their start left out.
 * Passed over: what differs between two hosts bought together (names, serial numbers,
 * network addresses, kernel versions, counts of huge pages, the order in which objects
 * were found) and what hwloc says of itself. Memory is taken in whole GiB: firmware keeps
 * a little of it for itself, and not always as much.
 *
 * hwloc writes one element a line with either of its XML writers. */
#include "digest.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
__extension__ typedef unsigned __int128 uint128;
/* clang-format on */

static const char *const passed_over[] = {
    "<?xml",
    "<!DOCTYPE",
    "<support ",
    "<page_type ",
    "<userdata",
    "<info name=\"Address\"",
    "<info name=\"Backend\"",
    "<info name=\"DMI",
    "<info name=\"HostName\"",
    "<info name=\"LinuxCgroup\"",
    "<info name=\"NodeGUID\"",
    "<info name=\"OSRelease\"",
    "<info name=\"OSVersion\"",
    "<info name=\"Port",
    "<info name=\"ProcessName\"",
    "<info name=\"SerialNumber\"",
    "<info name=\"SyntheticDescription\"",
    "<info name=\"SysImageGUID\"",
    "<info name=\"hwlocVersion\"",
    "<indexes ", /* of a matrix: gp_index again */
    "<info name=\"NVIDIASerial\"",
    "<info name=\"NVIDIAUUID\"",
    "<info name=\"AMDSerial\"",
    "<info name=\"AMDUUID\"",
};

static bool is_passed_over(const char *line)
{
    for (size_t i = 0; i < sizeof(passed_over) / sizeof(passed_over[0]); i++) {
        if (strncmp(line, passed_over[i], strlen(passed_over[i])) == 0)
            return true;
    }
    return false;
}

static uint128 add(uint128 hash, const char *text, size_t n)
{
    const uint128 prime = ((uint128)1 << 88) + 0x13b;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (unsigned char)text[i]) * prime;
    return hash;
}

/* Attributes passed over: numbers in the order of discovery, and the speed that a PCI
 * link has at the moment (GPUs slow theirs down when they idle). */
static const char *const numbers[] = {" gp_index=\"",
                                      " target_obj_gp_index=\"",
                                      " initiator_obj_gp_index=\"",
                                      " pci_link_speed=\""};

/* The length of the attribute at p (up to n characters), when it is one of these; 0. */
static size_t passed_over_attribute(const char *p, size_t n)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        size_t name = strlen(numbers[i]);
        if (n < name || strncmp(p, numbers[i], name) != 0)
            continue;
        const char *end = memchr(p + name, '"', n - name);
        return end != NULL ? (size_t)(end - p) + 1 : 0;
    }
    return 0;
}

/* The length of ` local_memory="digits"` at p with the number in *ret, or 0. */
static size_t memory_attribute(const char *p, unsigned long long *ret)
{
    static const char name[] = " local_memory=\"";
    size_t n = sizeof(name) - 1;
    if (strncmp(p, name, n) != 0)
        return 0;
    char *end;
    *ret = strtoull(p + n, &end, 10);
    return end > p + n && *end == '"' ? (size_t)(end - p) + 1 : 0;
}

static uint128 add_line(uint128 hash, const char *line, size_t n)
{
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned long long bytes = 0;
        size_t dropped = line[i] == ' ' ? passed_over_attribute(line + i, n - i) : 0;
        size_t memory = line[i] == ' ' ? memory_attribute(line + i, &bytes) : 0;
        if (dropped + memory == 0)
            continue;
        hash = add(hash, line + from, i - from);
        if (memory > 0) {
            char gib[32];
            int len = snprintf(gib, sizeof(gib), " GiB=%llu", bytes >> 30);
            hash = add(hash, gib, (size_t)len);
        }
        from = i + dropped + memory;
        i = from - 1;
    }
    return add(hash, line + from, n - from);
}

void digest_xml(const char *xml, char ret[65])
{
    uint128 hash = ((uint128)0x6c62272e07bb0142 << 64) + 0x62b821756295c58d;
    for (const char *p = xml; *p != '\0';) {
        p += strspn(p, " \t\r\n");
        size_t n = strcspn(p, "\n");
        if (!is_passed_over(p))
            hash = add_line(hash, p, n);
        p += n;
    }
    (void)snprintf(ret,
                   65,
                   "%016llx%016llx",
                   (unsigned long long)(hash >> 64),
                   (unsigned long long)hash);
}
