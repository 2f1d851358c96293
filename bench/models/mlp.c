/* The MLP 784-512-512-10: a training step as the kernel mlp.train takes it, timed by the
 * task itself, and class scores of some rows. */
#include "models.h"

#include "base/clock.h"
#include "base/memory.h"
#include "bench/kernels/lines.h"
#include "kernels/model/mlp.h"
#include "kernels/op/philox.h"
#include "kernels/op/threads.h"
#include "plugins/kernel/table.h"
#include "plugins/rehearse/rehearse.h"
#include "turns.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t widths[] = {784, 512, 512, 10};

enum { INPUTS = 784, CLASSES = 10, ROWS = 2048 };

struct train {
    struct rehearse_task task;
    double batch;
};

static double train_ms(void *self)
{
    const struct train *t = self;
    const struct gm_kernel *kernel = t->task.kernel;
    struct rehearse_output *outputs = NULL;
    struct gm_error err;
    double rate;
    if (rehearse_run(&t->task, &outputs, &err) != 0) {
        (void)fprintf(stderr, "bench_models: %s: %s\n", kernel->name, err.text);
        return -1;
    }
    memcpy(&rate, rehearse_find(kernel, outputs, "samples_per_s")->data, sizeof(rate));
    rehearse_free(kernel, outputs);
    return 1e3 * t->batch / rate;
}

static const struct gm_kernel *find(const char *name)
{
    unsigned n;
    const struct gm_kernel *const *all = plugin_kernels(&n);
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    }
    abort();
}

/* train BATCH MICRO THREADS */
int bench_train(unsigned argc, char **argv)
{
    if (argc != 3)
        return 2;
    enum { COLUMNS = INPUTS + 1 };
    float *x = numbers((size_t)ROWS * COLUMNS, 3);
    struct philox p = philox_make(1, 4);
    for (size_t i = 0; i < ROWS; i++)
        x[i * COLUMNS + INPUTS] = (float)philox_below(&p, CLASSES);
    const struct gm_input input = {.param = 0, /* data */
                                   .dtype = GM_F32,
                                   .ndim = 2,
                                   .dims = {ROWS, COLUMNS},
                                   .data = x,
                                   .nbytes = sizeof(*x) * ROWS * COLUMNS,
                                   .origin = "random rows"};
    const struct rehearse_arg args[] = {{"layers", "[784, 512, 512, 10]"},
                                        {"lr", "0.01"},
                                        {"split", "[100, 0, 0]"},
                                        {"epochs", "1"},
                                        {"batch", argv[0]},
                                        {"micro-batch", argv[1]},
                                        {NULL, NULL}};
    struct train t = {.batch = (double)number(argv[0]),
                      .task = {.kernel = find("mlp.train"),
                               .args = args,
                               .inputs = &input,
                               .n_inputs = 1,
                               .n_threads = (unsigned)number(argv[2])}};
    int rc = train_ms(&t) >= 0 ? turns_serve(train_ms, &t) : 1;
    free(x);
    return rc;
}

struct infer {
    struct mlp *model;
    struct mlp_work *work;
    size_t rows;
    float *x;
    volatile float seen;
};

static double infer_ms(void *self)
{
    struct infer *f = self;
    const float *scores;
    struct gm_error err;
    double start = clock_monotonic();
    if (mlp_scores(f->work, f->rows, f->x, &scores, &err) != 0) {
        (void)fprintf(stderr, "bench_models: %s\n", err.text);
        return -1;
    }
    f->seen = scores[0];
    return (clock_monotonic() - start) * 1e3;
}

/* infer ROWS THREADS */
int bench_infer(unsigned argc, char **argv)
{
    if (argc != 2)
        return 2;
    struct mlp_shape shape;
    struct gm_error err = {0};
    AUTO(device) device = NULL;
    struct infer f = {.rows = number(argv[0])};
    f.x = numbers(f.rows * INPUTS, 3);
    threads_set((unsigned)number(argv[1]));
    int rc = mlp_shape_make(
        widths, sizeof(widths) / sizeof(widths[0]), ACT_RELU, &shape, &err);
    if (rc == 0)
        rc = mlp_make(&shape, &f.model, &err);
    if (rc == 0)
        rc = device_open("cpu", &device, &err);
    if (rc == 0) {
        mlp_init(f.model, 1);
        rc = mlp_work_make(f.model, device, f.rows, &f.work, &err);
    }
    if (rc == 0) {
        for (unsigned i = 0; i < 5; i++)
            (void)infer_ms(&f);
        rc = turns_serve(infer_ms, &f);
    } else {
        (void)fprintf(stderr, "bench_models: %s\n", err.text);
    }
    mlp_work_free(f.work);
    mlp_free(f.model);
    free(f.x);
    return rc == 0 ? 0 : 1;
}
