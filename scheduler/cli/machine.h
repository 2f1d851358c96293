/* The machine that a verb speaks of: the one that `run` would take (this host, hosts that
 * are named, Slurm's allocation), or another one, as a what-if. */
#ifndef CLI_MACHINE_H
#define CLI_MACHINE_H

#include "base/str.h"
#include "command.h"
#include "engine/engine.h"

#define OPTION_MACHINE                                                                   \
    {                                                                                    \
        "machine", 0, "MACHINE", "on another one: FILE.xml, FILE.yaml or a text"         \
    }

struct machine {
    struct engine_machine at;
    const char *name; /* as the command line names another one; NULL: no what-if */
};

/* By --machine (`named`, or NULL), --hosts and --hostfile, the job's key `hosts` (spec,
 * or NULL), and --launcher, which need not be installed. 0, or the exit code, everything
 * being said. */
int machine_choose(const struct cli *cli,
                   const struct jobspec *spec,
                   const char *named,
                   struct machine *ret);
void machine_free(struct machine *m); /* what is inside */

/* "n0", "16 hosts (n[0-15])" */
void machine_hosts(const struct restree *tree, struct str *out);

#endif
