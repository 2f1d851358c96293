/* A batch script as a jobspec: the words of its directives (directives.h) are keys of the
 * short form, "--ranks=4", "--per-rank.cores 2", "--set tasks.train.args.lr=0.1", and
 * Flux's short ones (-n, -c, -N, -g, -t). Without kernel, command and tasks the script is
 * the command. --shape (RFC 46) makes it a document of the canonical form. */
#ifndef SPEC_SCRIPT_H
#define SPEC_SCRIPT_H

#include "doc.h"

/* The document that the directives mean; its nodes stand where the directives stand.
 * path: the script's, absolute; NULL: it has none (standard input). -EINVAL: the faults
 * are told; *ret is there all the same where reading it tells more of them, else
 * untouched. */
int script_document(struct arena *a,
                    const char *path,
                    const char *text,
                    size_t len,
                    struct jobspec_faults *faults,
                    struct doc_node **ret);

#endif
