/* See row.h. Invariant: a row that passes row_*_ok can be used without further checks of
 * its own sizes. */
#include "row.h"
#include "crc.h"

struct member {
    const char *name;
    size_t offset;
    char type; /* Q u64, I u32, i i32, d f64, D dims */
};

#define RECORD(name, type)                                                               \
    {                                                                                    \
#name, offsetof(struct row_record, name), type                                   \
    }
#define COMMIT(name, type)                                                               \
    {                                                                                    \
#name, offsetof(struct row_commit, name), type                                   \
    }

static const struct member record_members[] = {
    RECORD(task, 'Q'),
    RECORD(offset, 'Q'),
    RECORD(nbytes, 'Q'),
    RECORD(dims, 'D'),
    RECORD(stage, 'I'),
    RECORD(kind, 'I'),
    RECORD(index, 'I'),
    RECORD(dtype, 'I'),
    RECORD(ndim, 'I'),
    RECORD(data_crc, 'I'),
    RECORD(reserved, 'I'),
    RECORD(crc, 'I'),
};

static const struct member commit_members[] = {
    COMMIT(task, 'Q'),          COMMIT(count, 'Q'),
    COMMIT(first, 'Q'),         COMMIT(n, 'Q'),
    COMMIT(max_rss, 'Q'),       COMMIT(read_bytes, 'Q'),
    COMMIT(written_bytes, 'Q'), COMMIT(start, 'd'),
    COMMIT(end, 'd'),           COMMIT(user_s, 'd'),
    COMMIT(system_s, 'd'),      COMMIT(stage, 'I'),
    COMMIT(attempt, 'I'),       COMMIT(status, 'I'),
    COMMIT(reason, 'I'),        COMMIT(exit_code, 'i'),
    COMMIT(signal, 'i'),        COMMIT(rank, 'I'),
    COMMIT(n_ranks, 'I'),       COMMIT(layout, 'I'),
    COMMIT(crc, 'I'),           COMMIT(continued, 'Q'),
    COMMIT(flops, 'd'),         COMMIT(flops64, 'd'),
    COMMIT(bytes, 'd'),         COMMIT(gpu_s, 'd'),
};

static hid_t make_type(size_t size, const struct member *members, size_t n)
{
    hid_t id = H5Tcreate(H5T_COMPOUND, size);
    hsize_t dims = GM_MAX_DIMS;
    AUTO_ID array = H5Tarray_create2(H5T_NATIVE_UINT64, 1, &dims);
    for (size_t i = 0; i < n; i++) {
        hid_t type = members[i].type == 'Q'   ? H5T_NATIVE_UINT64
                     : members[i].type == 'I' ? H5T_NATIVE_UINT32
                     : members[i].type == 'i' ? H5T_NATIVE_INT32
                     : members[i].type == 'd' ? H5T_NATIVE_DOUBLE
                                              : array;
        (void)H5Tinsert(id, members[i].name, members[i].offset, type);
    }
    return id;
}

hid_t row_record_type(void)
{
    return make_type(sizeof(struct row_record),
                     record_members,
                     sizeof(record_members) / sizeof(record_members[0]));
}

hid_t row_commit_type(void)
{
    return make_type(sizeof(struct row_commit),
                     commit_members,
                     sizeof(commit_members) / sizeof(commit_members[0]));
}

void row_seal_record(struct row_record *r)
{
    r->crc = crc_extend(0, r, offsetof(struct row_record, crc));
}

void row_seal_commit(struct row_commit *c)
{
    c->crc = crc_extend(0, c, offsetof(struct row_commit, crc));
}

bool row_commit_ok(const struct row_commit *c)
{
    return c->crc == crc_extend(0, c, offsetof(struct row_commit, crc));
}

bool row_bytes(uint32_t dtype, uint32_t ndim, const uint64_t *dims, uint64_t *ret)
{
    uint64_t n = gm_dtype_size(dtype);
    for (uint32_t i = 0; i < ndim; i++) {
        if (__builtin_mul_overflow(n, dims[i], &n) || n > INT64_MAX)
            return false;
    }
    *ret = n;
    return true;
}

bool row_record_ok(const struct row_record *r, uint64_t heap)
{
    uint64_t n, end;
    return r->crc == crc_extend(0, r, offsetof(struct row_record, crc)) &&
           gm_dtype_size(r->dtype) > 0 && r->ndim <= GM_MAX_DIMS &&
           row_bytes(r->dtype, r->ndim, r->dims, &n) && n == r->nbytes &&
           !__builtin_add_overflow(r->offset, n, &end) && end <= heap;
}
