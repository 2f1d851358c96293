/* See reserve.h. Invariant: a write whose bytes are `nowhere` goes nowhere: the file has
 * a hole there, at the address that is noted. HDF5 hands raw chunks to its driver as it
 * got them, and reserve_chunk fails where a version does otherwise. */
#include "reserve.h"
#include "base/memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#if __has_include(<H5FDdevelop.h>)
#include <H5FDdevelop.h>
#endif

#define CHUNK_MOST (64u << 20)

struct driver {
    H5FD_t pub; /* HDF5's part; first */
    int fd;
    haddr_t eoa, eof;
    int *why, own;          /* -errno of a failed write: from then on none is done */
    unsigned char *nowhere; /* CHUNK_MOST of address space, never touched */
    uint64_t noted;
};

/* The first failure of a write counts. */
static void note(struct driver *d)
{
    if (*d->why == 0)
        *d->why = -errno;
}

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t fapl, haddr_t maxaddr)
{
    (void)fapl;
    (void)maxaddr;
    int how = (flags & H5F_ACC_RDWR) != 0 ? O_RDWR : O_RDONLY;
    how |= (flags & H5F_ACC_TRUNC) != 0 ? O_TRUNC : 0;
    how |= (flags & H5F_ACC_CREAT) != 0 ? O_CREAT : 0;
    int fd = open(name, how | O_CLOEXEC, 0666);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        if (fd >= 0)
            (void)close(fd);
        return NULL;
    }
    struct driver *d = xcalloc(1, sizeof(*d));
    d->fd = fd;
    d->eof = (haddr_t)st.st_size;
    d->nowhere = malloc(CHUNK_MOST);
    d->why = &d->own;
    return &d->pub;
}

static struct driver *of(H5FD_t *file)
{
    return (struct driver *)file;
}

static herr_t driver_close(H5FD_t *file)
{
    struct driver *d = of(file);
    if (close(d->fd) != 0) /* NFS tells of a full disk here */
        note(d);
    free(d->nowhere);
    free(d);
    return 0;
}

static int driver_cmp(const H5FD_t *a, const H5FD_t *b)
{
    return a < b ? -1 : a > b;
}

static herr_t driver_query(const H5FD_t *file, unsigned long *flags)
{
    (void)file;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
             H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t driver_eoa(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const struct driver *)file)->eoa;
}

static herr_t driver_set_eoa(H5FD_t *file, H5FD_mem_t type, haddr_t addr)
{
    (void)type;
    of(file)->eoa = addr;
    return 0;
}

static haddr_t driver_eof(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const struct driver *)file)->eof;
}

/* What lies behind the end of the file reads as 0. */
static herr_t driver_read(
    H5FD_t *file, H5FD_mem_t type, hid_t dxpl, haddr_t addr, size_t size, void *buffer)
{
    (void)type;
    (void)dxpl;
    unsigned char *at = buffer;
    while (size > 0) {
        ssize_t n = pread(of(file)->fd, at, size, (off_t)addr);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0) {
            memset(at, 0, size);
            return 0;
        }
        at += n;
        addr += (haddr_t)n;
        size -= (size_t)n;
    }
    return 0;
}

static herr_t driver_write(H5FD_t *file,
                           H5FD_mem_t type,
                           hid_t dxpl,
                           haddr_t addr,
                           size_t size,
                           const void *buffer)
{
    (void)type;
    (void)dxpl;
    struct driver *d = of(file);
    const unsigned char *at = buffer;
    if (at != NULL && at == d->nowhere) {
        d->noted = addr;
        size = 0;
    }
    size = *d->why != 0 ? 0 : size;
    while (size > 0) {
        ssize_t n = pwrite(d->fd, at, size, (off_t)addr);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            errno = n == 0 ? EIO : errno;
            note(d);
            break;
        }
        at += n;
        addr += (haddr_t)n;
        size -= (size_t)n;
    }
    d->eof = addr > d->eof ? addr : d->eof;
    return 0;
}

/* Others may have written behind what this process has. */
static herr_t driver_truncate(H5FD_t *file, hid_t dxpl, hbool_t closing)
{
    (void)dxpl;
    (void)closing;
    struct driver *d = of(file);
    if (d->eof != d->eoa && *d->why == 0 && ftruncate(d->fd, (off_t)d->eoa) != 0)
        note(d);
    d->eof = d->eoa;
    return 0;
}

static herr_t driver_handle(H5FD_t *file, hid_t fapl, void **ret)
{
    (void)fapl;
    *ret = file;
    return 0;
}

static const H5FD_class_t class = {
#ifdef H5FD_CLASS_VERSION
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)513,
#endif
    .name = "gridmill-reserve",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .open = driver_open,
    .close = driver_close,
    .cmp = driver_cmp,
    .query = driver_query,
    .get_eoa = driver_eoa,
    .set_eoa = driver_set_eoa,
    .get_eof = driver_eof,
    .get_handle = driver_handle,
    .read = driver_read,
    .write = driver_write,
    .truncate = driver_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

static struct driver *driver_of(hid_t file)
{
    void *handle = NULL;
    return H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) < 0 ? NULL : handle;
}

int reserve_create(const char *path, int *why, hid_t *ret, struct gm_error *err)
{
    AUTO_ID access = H5Pcreate(H5P_FILE_ACCESS);
    AUTO_ID driver = H5FDregister(&class); /* the file keeps it */
    (void)H5Pset_driver(access, driver, NULL);
    (void)H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_LATEST);
    (void)H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    errno = 0;
    hid_t id = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    int code = -errno;
    struct driver *d = id >= 0 ? driver_of(id) : NULL;
    if (d == NULL)
        return code != 0 ? gm_fail(err, code, "%s: %s", path, strerror(-code))
                         : h5_fail(err, "%s", path);
    *why = d->own;
    d->why = why;
    *ret = id;
    return 0;
}

int reserve_check(int why, const char *path, struct gm_error *err)
{
    return why == 0 ? 0 : gm_fail(err, why, "%s: %s", path, strerror(-why));
}

int reserve_close(hid_t *file, int *why, int rc, const char *path, struct gm_error *err)
{
    if (rc == 0 && H5Fflush(*file, H5F_SCOPE_GLOBAL) < 0)
        rc = h5_fail(err, "%s", path);
    if (rc != 0 && *why == 0)
        *why = rc; /* the rest is not worth writing */
    int closed = h5_close(file, path, rc == 0 ? err : NULL);
    rc = rc == 0 ? closed : rc;
    return rc == 0 ? reserve_check(*why, path, err) : rc;
}

int reserve_chunk(hid_t file,
                  hid_t set,
                  const hsize_t *offset,
                  uint32_t nbytes,
                  uint64_t *ret_address,
                  struct gm_error *err)
{
    struct driver *d = driver_of(file);
    if (d == NULL)
        return h5_fail(err, "the file's driver");
    d->noted = UINT64_MAX;
    if (nbytes > CHUNK_MOST || d->nowhere == NULL)
        return gm_fail(err, -ENOTSUP, "no address space for a chunk of %u bytes", nbytes);
    if (H5Dwrite_chunk(set, H5P_DEFAULT, 0, offset, nbytes, d->nowhere) < 0)
        return h5_fail(err, "a chunk");
    if (d->noted == UINT64_MAX)
        return gm_fail(err, -ENOTSUP, "this HDF5 does not leave chunks to other writers");
    *ret_address = d->noted;
    return 0;
}
