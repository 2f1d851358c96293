/* A pack by the ranks of a communicator together (pack.h does the work). A library of its
 * own, so that what is not run by MPI need not link it. */
#ifndef RESULT_PACK_MPI_H
#define RESULT_PACK_MPI_H

#include "pack.h"
#include <mpi.h>

struct pack_mpi {
    MPI_Comm comm; /* of ranks that live; its rank 0 makes the file */
    /* Asked in each wait: was one of them lost? NULL: none can be. */
    bool (*lost)(void *ctx);
    void *ctx;
    uint64_t alone_below; /* bytes of shards that rank 0 packs alone, sooner; 0: none */
    int rc;               /* rank 0's: not 0, and nobody packs, and it gets that back */
};

/* Collective. Where a rank is lost on the way, or this HDF5 does not let several write,
 * rank 0 packs alone; the others then give back 0 or -EOWNERDEAD, and it is rank 0's
 * answer that counts. No blocking collective is called. */
int pack_mpi(const struct pack_options *opt,
             const struct pack_mpi *with,
             struct gm_error *err);

#endif
