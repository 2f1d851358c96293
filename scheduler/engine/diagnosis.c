/* See diagnosis.h. Invariant: what is not found in the words is left out of the sentence.
 */
#include "diagnosis.h"
#include <stdlib.h>
#include <string.h>

/* The rest of the line after the first `label`, without blanks at its ends and a full
 * stop. */
static void field(const char *words, const char *label, size_t room, char *ret)
{
    const char *at = strstr(words, label);
    ret[0] = '\0';
    if (at == NULL)
        return;
    at += strlen(label);
    at += strspn(at, " ");
    size_t n = strcspn(at, "\n");
    while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '.'))
        n--;
    (void)snprintf(ret, room, "%.*s", (int)n, at);
}

/* "not enough space for /dev/shm/vader_segment.vm.0.1 (the shared-memory ..." */
static void say_no_room(const char *at, struct str *out)
{
    char host[128], wanted[64], left[64], text[32];
    field(at, "Local host:", sizeof(host), host);
    field(at, "Space Requested:", sizeof(wanted), wanted);
    field(at, "Space Available:", sizeof(left), left);
    size_t n = strcspn(at, " \n");
    while (n > 1 && at[n - 1] != '/')
        n--;
    n -= n > 1;
    str_printf(
        out, "%.*s%s%s has no room", (int)n, at, host[0] != '\0' ? " on " : "", host);
    str_add(out, " for the memory that Open MPI's ranks share");
    uint64_t want = strtoull(wanted, NULL, 10), have = strtoull(left, NULL, 10);
    if (want > 0)
        str_printf(out, ": each takes %s", str_bytes(want, text));
    if (want > 0 && left[0] != '\0')
        str_printf(out, ", %s are free", str_bytes(have, text));
    str_add(out,
            "; enlarge it (in a container: --shm-size), or remove what is left there");
}

static void say_no_folder(const char *at, struct str *out)
{
    char folder[256], error[128];
    field(at, "Directory:", sizeof(folder), folder);
    field(at, "Error:", sizeof(error), error);
    str_printf(out,
               "mpirun could not make its folder %s: %s",
               folder[0] != '\0' ? folder : "for sockets",
               error[0] != '\0' ? error : "mkdir failed");
}

enum diagnosis diagnosis_of(const char *words, struct str *out)
{
    static const char room[] = "not enough space for ", folder[] = "A call to mkdir was";
    const char *at = strstr(words, room), *mkdir = strstr(words, folder);
    if (at != NULL) {
        say_no_room(at + sizeof(room) - 1, out);
        return DIAGNOSIS_NO_ROOM;
    }
    if (mkdir == NULL)
        return DIAGNOSIS_NONE;
    say_no_folder(mkdir, out);
    return DIAGNOSIS_PASSING;
}
