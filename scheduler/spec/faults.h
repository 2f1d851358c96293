/* Collecting the faults of a file. Nothing stops at the first one; a file that is all
 * wrong stops being told about after FAULTS_MAX. */
#ifndef SPEC_FAULTS_H
#define SPEC_FAULTS_H

#include "base/str.h"
#include "spec/jobspec.h"
#include <stdarg.h>

#define FAULTS_MAX 1000u

/* Where in the document we are: a chain on the C stack, made into text only for a fault.
 */
struct fault_path {
    const struct fault_path *up; /* NULL: the document */
    const char *key;             /* NULL: an item of a list */
    size_t index;
};

/* Empty faults for a file; what faults_add writes is kept in an own arena. */
void faults_init(struct jobspec_faults *f, const char *file);

GM_PRINTF(5, 6)
void faults_add(struct jobspec_faults *f,
                const struct fault_path *at,
                unsigned line,
                unsigned col,
                const char *fmt,
                ...);
/* The same, but the job stands. */
GM_PRINTF(5, 6)
void faults_warn(struct jobspec_faults *f,
                 const struct fault_path *at,
                 unsigned line,
                 unsigned col,
                 const char *fmt,
                 ...);
/* The same with the path as text. */
GM_PRINTF(5, 6)
void faults_add_at(struct jobspec_faults *f,
                   const char *path,
                   unsigned line,
                   unsigned col,
                   const char *fmt,
                   ...);

GM_PRINTF(5, 6)
void faults_warn_at(struct jobspec_faults *f,
                    const char *path,
                    unsigned line,
                    unsigned col,
                    const char *fmt,
                    ...);

/* For functions that take a fault's text in parts themselves. */
GM_PRINTF(6, 0)
void faults_vadd(struct jobspec_faults *f,
                 bool warning,
                 const struct fault_path *at,
                 unsigned line,
                 unsigned col,
                 const char *fmt,
                 va_list args);
GM_PRINTF(6, 0)
void faults_vadd_at(struct jobspec_faults *f,
                    bool warning,
                    const char *path,
                    unsigned line,
                    unsigned col,
                    const char *fmt,
                    va_list args);

/* Tells the errors of `from` again in *f, as warnings. */
void faults_as_warnings(struct jobspec_faults *f, const struct jobspec_faults *from);

/* "tasks[0].args.lr" */
void faults_path_text(const struct fault_path *at, struct str *out);

/* In the order of the file; faults without a place come first. */
void faults_sort(struct jobspec_faults *f);

/* The first error (not warning) as an error; `code` is what it returns. */
int faults_first(const struct jobspec_faults *f, int code, struct gm_error *err);

#endif
