/* Typed values: a scalar of the document, an axis value or another stage's number -> what
 * a kernel's parameter wants, or a sentence why not. */
#ifndef SPEC_VALUE_H
#define SPEC_VALUE_H

#include "base/json.h"
#include "doc.h"
#include "gridmill/kernel.h"

/* A scalar as its own type: INT, FLOAT, BOOL or STRING (its text copied into `a`). */
int value_scalar(const struct doc_node *node,
                 struct arena *a,
                 struct gm_value *ret,
                 struct gm_error *err);

/* A scalar value as the parameter's type, in its range. A PATH, DATA or MODEL stays the
 * text it is. Lists and tensors never come from one scalar: -EINVAL. */
int value_convert(const struct gm_param_spec *p,
                  const struct gm_value *in,
                  struct gm_value *ret,
                  struct gm_error *err);

/* A node of the document as the parameter's type: as above, and lists. */
int value_read(const struct gm_param_spec *p,
               const struct doc_node *node,
               struct arena *a,
               struct gm_value *ret,
               struct gm_error *err);

/* The parameter's default (p->preset, as it would stand in the jobspec), as its type. */
int value_preset(const struct gm_param_spec *p,
                 struct arena *a,
                 struct gm_value *ret,
                 struct gm_error *err);

bool value_is_path(uint32_t param_type); /* PATH, DATA, MODEL */
void value_text(const struct gm_value *v,
                struct str *out); /* a scalar, as ${...} prints it */
void value_json(struct json *j, const struct gm_value *v);

#endif
