/* The table of verbs. */
#include "base/str.h"
#include "command.h"

const struct command *const commands[] = {&cmd_run,
                                          &cmd_resume,
                                          &cmd_watch,
                                          &cmd_plan,
                                          &cmd_check,
                                          &cmd_init,
                                          &cmd_topo,
                                          &cmd_kernels,
                                          &cmd_result,
                                          &cmd_doctor,
                                          &cmd_version,
                                          &cmd_help,
                                          NULL};

const struct command *command_find(const char *name)
{
    for (unsigned i = 0; commands[i] != NULL; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

const char *command_nearest(const char *name)
{
    const char *names[N_OF(commands)];
    size_t n = 0;
    for (; commands[n] != NULL; n++)
        names[n] = commands[n]->name;
    return str_nearest(name, names, n);
}
