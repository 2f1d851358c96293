/* The verbs of gridmill as data: parsing, --help, `gridmill help VERB` and the shells'
 * completion are all made from these tables. One file a verb, cmd_<verb>.c. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "args.h"
#include "terminal.h"

struct cli {
    const struct command *command;
    struct args args;
    struct terminal terminal;
    bool json;
    int verbosity; /* as base/log.h */
};

struct command {
    const char *name;
    const char *usage;   /* what follows the name: "[OPTIONS] FILE" */
    const char *summary; /* one line, no full stop */
    const char *help;    /* paragraphs for --help; lines up to 80 columns */
    const char *words;   /* what completes a word: "@file", "@kernel", "@verb" and literal
                            words, separated by blanks; "" for none */
    const struct option_spec *options;
    unsigned n_options;
    unsigned min_words, max_words;
    int (*run)(const struct cli *cli); /* an exit code */
};

/* All of them, in the order of the help; ends with NULL. */
extern const struct command *const commands[];
const struct command *command_find(const char *name); /* NULL: no such */
const char *command_nearest(const char *name);        /* NULL: none is near */

extern const struct command cmd_run, cmd_resume, cmd_watch, cmd_plan, cmd_check, cmd_init,
    cmd_topo, cmd_kernels, cmd_result, cmd_doctor, cmd_version, cmd_help;

#define N_OF(array) ((unsigned)(sizeof(array) / sizeof((array)[0])))

/* Options that several verbs share. */
#define OPTION_JSON                                                                      \
    {                                                                                    \
        "json", 0, NULL, "print one JSON value instead of text"                          \
    }
#define OPTION_SET                                                                       \
    {                                                                                    \
        "set", 0, "PATH=VALUE", "set a key of the jobspec: tasks.train.args.lr=0.1"      \
    }
#define OPTION_RANKS                                                                     \
    {                                                                                    \
        "ranks", 0, "N", "start N ranks, whatever the jobspec says"                      \
    }
/* What a rank gets, as the jobspec's keys of these names say. */
#define OPTIONS_PER_RANK                                                                 \
    {"nodes", 0, "N", "hosts to run on"},                                                \
        {"ranks-per-node", 0, "N", "ranks on each of them"},                             \
        {"cores", 0, "N", "cores a rank"}, {"threads", 0, "N", "threads a rank"},        \
        {"gpus", 0, "N", "GPUs a rank"}, {"memory", 0, "SIZE", "memory a rank: 2GiB"},   \
    {                                                                                    \
        "mapping", 0, "WORD", "auto, pack, spread, numa, gpu-near, or map-by words"      \
    }
#define OPTION_HOSTS                                                                     \
    {                                                                                    \
        "hosts", 0, "LIST", "on these hosts: a,b[1-3]:2 (:SLOTS or none)"                \
    }
#define OPTION_HOSTFILE                                                                  \
    {                                                                                    \
        "hostfile", 0, "FILE", "on the hosts of an Open MPI host file"                   \
    }
#define OPTION_LAUNCHER                                                                  \
    {                                                                                    \
        "launcher", 0, "NAME", "start the ranks with mpirun, ompi4, ompi5 or slurm"      \
    }
#define OPTION_RESULTS                                                                   \
    {                                                                                    \
        "results", 0, "FILE", "write the results to FILE"                                \
    }
#define OPTION_DOCUMENT                                                                  \
    {                                                                                    \
        "document", 0, "JOB", "of a file of several jobs: this name or number"           \
    }
#define OPTION_SHAPE                                                                     \
    {                                                                                    \
        "shape", 0, "SHAPE", "what a command gets: slot=4/core=2"                        \
    }
#define OPTION_NAME                                                                      \
    {                                                                                    \
        "name", 0, "NAME", "what the job is called"                                      \
    }
#define OPTION_TIME                                                                      \
    {                                                                                    \
        "time", 0, "TIME", "the job's time limit: 90s, 10m"                              \
    }
#define OPTION_OVERSUBSCRIBE                                                             \
    {                                                                                    \
        "oversubscribe", 0, NULL, "allow more ranks than cores: they share"              \
    }
#define OPTION_VERIFY                                                                    \
    {                                                                                    \
        "verify-binding", 0, "WORD", "ranks not as planned: strict, warn, off"           \
    }
#define OPTION_MAP_BY                                                                    \
    {                                                                                    \
        "map-by", 0, "WORDS", "place by Open MPI's words: core, ppr:2:numa"              \
    }
#define OPTION_RANK_BY                                                                   \
    {                                                                                    \
        "rank-by", 0, "WORD", "number ranks by slot, node, fill or span"                 \
    }
#define OPTION_BIND_TO                                                                   \
    {                                                                                    \
        "bind-to", 0, "WORD", "bind each rank to core, numa, none ..."                   \
    }

#endif
