/* What an installed mpirun would do with Open MPI's own words: asked, never guessed. The
 * ranks of a plan do not depend on it; it is told where it differs. */
#ifndef LAUNCH_MPIMAP_H
#define LAUNCH_MPIMAP_H

#include "launch.h"
#include "topo/restree.h"

#define MPIMAP_MOST_HOSTS 256u

struct mpimap_question {
    const char *mpirun;                     /* a path */
    unsigned version;                       /* its major: 4, 5 */
    const char *map_by, *rank_by, *bind_to; /* as PRRTE has them; NULL: not said */
    unsigned ranks;
    const struct restree *tree; /* hosts of one shape */
    const char *xml_file;       /* that shape's */
};

/* Where a rank would be. */
struct mpimap_rank {
    bool there;
    unsigned host;     /* of the tree */
    struct idset *pus; /* OS numbers; not bound: all of the host. NULL: not told, since
                          mpirun 4 leaves some bindings to the other hosts' daemons */
};

/* `mpirun --version`, and the text that it says: "mpirun (Open MPI) 4.1.4" -> "4.1.4" in
 * the arena, and the major; NULL: it is not Open MPI's. */
struct launch_line *mpimap_version_line(const char *mpirun);
const char *mpimap_version(struct arena *a, const char *text, unsigned *ret_major);

/* An mpirun that shows its map and starts nothing. -EINVAL: it cannot be asked: too many
 * hosts, several shapes. */
int mpimap_line(const struct mpimap_question *q,
                struct launch_line **ret,
                struct gm_error *err);
/* The words as that line has them: "--map-by socket:PE=2,SPAN --bind-to core". */
void mpimap_words(const struct mpimap_question *q, struct str *out);
/* Its answer; ret: one a rank, yours (mpimap_free). -EINVAL: it refused the words; its
 * first sentence is in err. */
int mpimap_read(const struct mpimap_question *q,
                const char *text,
                struct mpimap_rank **ret,
                struct gm_error *err);
void mpimap_free(struct mpimap_rank *ranks, unsigned n);

#endif
