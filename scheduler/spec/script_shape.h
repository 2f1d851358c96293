/* A script's --shape (RFC 46): its directives as a document of the canonical form. */
#ifndef SPEC_SCRIPT_SHAPE_H
#define SPEC_SCRIPT_SHAPE_H

#include "doc.h"
#include "spec/directives.h"

/* root: the script's other directives as a map; becomes the document. path: the script's,
 * or NULL; shape: where --shape stands, `text` its value. False: told, *root as it was.
 */
bool script_shape(struct arena *a,
                  struct jobspec_faults *faults,
                  const char *path,
                  const struct directive *shape,
                  const char *text,
                  struct doc_node *root);

#endif
