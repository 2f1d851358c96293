/* See stop.h. The one number that a signal handler and the loop share; it has to be of
 * the process, as the signal is. */
#include "stop.h"
#include "engine.h"
#include <stdatomic.h>

static atomic_uint asked;

void engine_stop(void)
{
    (void)atomic_fetch_add(&asked, 1);
}

unsigned stop_asked(void)
{
    return atomic_load(&asked);
}

void stop_reset(void)
{
    atomic_store(&asked, 0);
}
