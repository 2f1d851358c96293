/* See orphans.h. Invariant: nothing is killed by a number of another PID namespace (ranks
 * of one host in several containers): there it is another's. */
#include "orphans.h"
#include "base/mark.h"
#include "base/procstat.h"
#include <stdatomic.h>
#include <unistd.h>

struct board_commands *orphans_open(const struct board *b)
{
    struct board_commands *c = board_commands(b, board_seat(b));
    atomic_store(&c->session, (uint64_t)getsid(0));
    atomic_store(&c->space, procstat_space());
    return c;
}

void orphans_end(const struct board *b, unsigned seat)
{
    struct board_commands *c = board_commands(b, seat);
    uint64_t space = atomic_load(&c->space);
    if (space == 0 || space != procstat_space())
        return;
    pid_t session = (pid_t)atomic_load(&c->session);
    for (unsigned i = 0; i < BOARD_COMMANDS; i++)
        mark_kill(atomic_load(&c->marks[i]), session);
}
