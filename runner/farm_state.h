/* The farm's state, for the files that it is made of: farm.c (what ranks say),
 * farm_give.c (who gets what) and farm_loss.c (who died).
 *
 * Invariant: a task that is out was granted to one host (it is in `granted` of that host
 * and stage alone), or to one group that is not over. */
#ifndef RUNNER_FARM_STATE_H
#define RUNNER_FARM_STATE_H

#include "backlog.h"
#include "farm.h"
#include "tried.h"

struct farm_stage {
    bool closed;       /* nothing of it is handed out any more */
    uint64_t measured; /* tasks behind `seconds` */
    double seconds;
    unsigned *slots; /* tasks of it that a host's living ranks run at once */
    uint64_t all_slots;
    struct taskset *held; /* of hosts that are being settled */
    struct tried tried;
    bool told_over;
};

struct farm_host {
    unsigned n_living, n_idle;
    uint32_t asker; /* the rank that spoke last */
    /* How much it may be given now: for its idle ranks, and ahead of time. */
    unsigned unfed;
    bool low;
    uint64_t owed;            /* of the lot that `low` asked for */
    bool frozen;              /* a rank of it was lost: until farm_settle */
    bool recalled, seeks;     /* asked to give back; asked others to */
    unsigned for_host;        /* recalled: for whom */
    bool dry;                 /* gave nothing back, and got nothing since */
    struct taskset **granted; /* one a stage, made when needed */
    uint64_t *last_lot;       /* one a stage */
};

struct farm_group { /* until its task is reported, or went back */
    unsigned stage;
    uint64_t task;
    uint32_t lead;
    unsigned n_left;          /* members that are not idle again, nor lost and settled */
    bool ends;                /* some are */
    bool lead_lost, returned; /* the lead will say nothing more; it gave the task back */
    bool crashed;             /* members died in it, `victim` first */
    uint32_t victim;
    bool on; /* this entry is in use */
};

enum { FARM_NO_GROUP = -1 };

struct farm_member {
    bool idle, lost;
    bool queued, had; /* seated: it came for its task; it was handed it */
    int group;        /* that it is in, or FARM_NO_GROUP */
};

struct farm {
    const struct jobspec *spec;
    const struct farm_seat *seats;
    unsigned n_ranks, n_hosts, n_living, n_idle;
    struct backlog *backlog;
    struct farm_stage *stages;
    unsigned *order; /* stages by priority, then as they stand in the file */
    struct farm_host *hosts;
    struct farm_member *ranks;
    struct farm_group *groups;
    unsigned n_groups;
    uint32_t *members;
    uint32_t *waiting; /* seated: ranks to get their task, [first_waiting, n_waiting) */
    unsigned first_waiting, n_waiting;
    struct farm_verdict *verdicts;
    size_t n_verdicts, first_verdict;
    uint64_t lots;
    uint64_t before; /* tasks that were over when it was made */
    uint32_t epoch;
    bool stopped, ended;
};

static inline struct farm_host *farm_host_of(const struct farm *f, unsigned rank)
{
    return &f->hosts[f->seats[rank].host];
}

/* The rank lives, and has the cores and GPUs that a task of the stage takes. */
bool farm_fits(const struct farm *f, unsigned stage, unsigned rank);
/* After a loss: what the living ranks can run. */
void farm_count_slots(struct farm *f);
/* Ranks in a group of this stage now: all that fit where it wants more than there are. */
unsigned farm_group_size(const struct farm *f, unsigned stage);
/* Seated: the stage whose task is this rank's; n_stages: none. */
unsigned farm_seat_of(const struct farm *f, unsigned rank);
/* Seated: a task that the rank has not had yet and is to run. */
bool farm_has_own_task(const struct farm *f, unsigned rank);
/* Takes the rank off the idle ones, and out of its group. */
void farm_not_idle(struct farm *f, unsigned rank);
void farm_leave_group(struct farm *f, unsigned rank);
void farm_end_group(struct farm *f, struct farm_group *g);
/* The group that has this task; NULL: none. */
struct farm_group *farm_group_of(const struct farm *f, unsigned stage, uint64_t task);
/* A task that is out or pending took a rank down, once more: it has failed, or is to run
 * again. */
void farm_count_crash(struct farm *f, unsigned rank, uint32_t stage, uint64_t task);
/* These tasks are granted to no host any more; `host` is the one to look at first. */
void farm_ungrant(
    struct farm *f, unsigned stage, unsigned host, uint64_t first, uint64_t count);
double farm_mean(const struct farm *f, unsigned stage); /* s a task; < 0: not known */

#endif
