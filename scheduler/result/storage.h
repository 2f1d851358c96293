/* Where a dataset of a results file may keep its bytes: in the file, or in the parts of a
 * sharded one (output.h). Data elsewhere could be anything that this user can read, and a
 * part that is gone would read as fill values. Private to scheduler/result. */
#ifndef RESULT_STORAGE_H
#define RESULT_STORAGE_H

#include "h5.h"

int storage_check(hid_t set, struct gm_error *err);

#endif
