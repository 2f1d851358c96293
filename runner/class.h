/* The device class: what the bits of a job's outputs depend on in a process, beside its
 * inputs and the build, as its kernels say (gm_kernel.device_class), and the model of the
 * GPU where one of its kernels computes there. */
#ifndef RUNNER_CLASS_H
#define RUNNER_CLASS_H

#include "base/str.h"
#include "rank.h"
#include "spec/jobspec.h"
#include "spec/plan.h"

/* Collective, before the first task: all ranks are of rank 0's class, stage by stage;
 * -EINVAL: a rank is not, and err names both hosts and what differs. *words: of this
 * rank, "cpu" where no kernel says more. Costs nothing in a job whose kernels say
 * nothing. */
int class_agree(const struct rank *r,
                const struct plan *plan,
                const struct jobspec *spec,
                struct str *words,
                struct gm_error *err);

#endif
